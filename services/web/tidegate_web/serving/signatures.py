"""What is remembered of models' signatures: fresh for seconds, asked for by one caller for all who wait."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from tidegate_proto.prediction_pb2 import GetModelMetadataRequest, GetModelMetadataResponse
from tidegate_web.errors import DeadlineExceeded, TidegateError, Unavailable
from tidegate_web.prediction import ModelMetadata, ModelRef
from tidegate_web.serving import wire
from tidegate_web.serving.dispatch import Dispatcher

FRESH_S = 5.0
"""How long signatures are used without asking again: a roll-out may change them."""

STALE_S = 60.0
"""How long they are used while asking again, so that no request waits for it."""

ASK_S = 2.0
"""How long one model server may take for an answer, whoever waits for it; then another is asked."""

MAX_ASKED = 3
"""Model servers that are asked while one after the other does not answer."""

MAX_MODELS = 256
"""How many models, versions and labels are remembered."""


@dataclass(slots=True)
class Known:
    """Signatures, and when they were read."""

    metadata: ModelMetadata
    read_at: float


class Signatures:
    """Asks the model servers for signatures, and remembers.

    Args:
        dispatcher: Sends the questions.
        clock: Monotonic seconds.
    """

    def __init__(self, dispatcher: Dispatcher, clock: Callable[[], float]) -> None:
        self._dispatcher = dispatcher
        self._clock = clock
        self._known: dict[ModelRef, Known] = {}
        self._asking: dict[ModelRef, asyncio.Task[ModelMetadata]] = {}
        self._fresh_since = 0.0

    def fresh(self, model: ModelRef) -> ModelMetadata | None:
        """Return what may be used at once; where it is a little old, ask again behind its back."""
        known = self._known.get(model)
        if known is None:
            return None
        age_s = self._clock() - known.read_at
        if age_s > FRESH_S or known.read_at < self._fresh_since:
            if age_s > STALE_S:
                return None
            self._question(model)
        return known.metadata

    def doubt(self) -> None:
        """Ask again at the next use: the model servers have changed."""
        self._fresh_since = self._clock()

    async def ask(self, model: ModelRef, timeout_s: float) -> ModelMetadata:
        """Ask, or wait for who asks already.

        Raises:
            TidegateError: No such model; nobody answers; DeadlineExceeded.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(self._question(model))
        except TimeoutError:
            raise DeadlineExceeded("The model's signatures did not come in time") from None

    async def close(self) -> None:
        """Cancel what is being asked."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _question(self, model: ModelRef) -> "asyncio.Task[ModelMetadata]":
        task = self._asking.get(model)
        if task is None:
            task = self._asking[model] = asyncio.create_task(self._read(model))
            task.add_done_callback(lambda done: self._asked(model, done))
        return task

    def _asked(self, model: ModelRef, task: "asyncio.Task[ModelMetadata]") -> None:
        del self._asking[model]
        if not task.cancelled():
            task.exception()  # who waits has it; where nobody does, it shows at the next use

    async def _read(self, model: ModelRef) -> ModelMetadata:
        request = GetModelMetadataRequest(model_spec=wire.to_spec(model), metadata_field=["signature_def"])
        asked_at = self._clock()
        try:
            metadata = wire.from_metadata(await self._ask_some(model, request))
        except (Unavailable, DeadlineExceeded):
            raise  # who does not answer changes nothing about what is remembered
        except TidegateError:
            self._known.pop(model, None)
            raise
        self._known.pop(model, None)
        self._known[model] = Known(metadata, asked_at)
        if len(self._known) > MAX_MODELS:
            del self._known[next(iter(self._known))]
        return metadata

    async def _ask_some(self, model: ModelRef, request: GetModelMetadataRequest) -> GetModelMetadataResponse:
        """Ask one model server after the other until one answers: the balancer does not choose one twice in a row."""
        for _ in range(MAX_ASKED - 1):
            with contextlib.suppress(DeadlineExceeded):
                return await self._ask_one(model, request)
        return await self._ask_one(model, request)

    async def _ask_one(self, model: ModelRef, request: GetModelMetadataRequest) -> GetModelMetadataResponse:
        response, _ = await self._dispatcher.call(model, lambda backend: backend.metadata, request, ASK_S, judged=False)
        return response
