"""One model server: its channel, its calls in flight, how they went, and what it has loaded."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from tidegate_proto.services import CLASSIFY, GET_MODEL_METADATA, GET_MODEL_STATUS, PREDICT, REGRESS
from tidegate_web.metrics import Metrics
from tidegate_web.prediction import ModelRef, VersionStatus
from tidegate_web.serving.health import Health, State

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

CHANNEL_OPTIONS = (
    # A container restarted in place must be found again at once; gRPC's own back-off grows to two minutes
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # By its name a back-off, in fact how long one attempt may take: a server without processor time is no dead one
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Two backends of one address after an IP is reused must not share a broken connection
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)

LACKS_S = 1.0
"""How long a backend is not asked again for what it has said it does not have."""

MAX_LACKS = 256
"""How many such answers are remembered: clients may make names up."""


class Backend:
    """A model server at one address.

    Args:
        address: `host:port`.
        metrics: Where calls are counted.
        clock: Monotonic seconds.

    Attributes:
        outstanding: Calls in flight.
        last_picked: Turn of the balancer at which it last got a call.
        health: How its calls went.
        models: Where the versions of each model stand there, as last polled; a model not in it has not been asked for.
    """

    def __init__(self, address: str, metrics: Metrics, clock: Callable[[], float]) -> None:
        self.address = address
        self.outstanding = 0
        self.last_picked = 0
        self.health = Health(clock)
        self.models: Mapping[str, Sequence[VersionStatus]] = {}
        self._available: dict[str, frozenset[int]] = {}
        self._clock = clock
        self._lacks: dict[ModelRef, float] = {}
        self._metrics = metrics.of_backend(address)
        self._idle = asyncio.Event()
        self._idle.set()
        self._channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        self.predict = PREDICT.stub(self._channel)
        self.classify = CLASSIFY.stub(self._channel)
        self.regress = REGRESS.stub(self._channel)
        self.metadata = GET_MODEL_METADATA.stub(self._channel)
        self.status = GET_MODEL_STATUS.stub(self._channel)

    @property
    def state(self) -> State:
        """What the balancer makes of it now."""
        return self.health.state

    def serves(self, model: ModelRef) -> bool:
        """Whether it has the version AVAILABLE, as far as is known. What a label points at only the backend knows."""
        if self._lacks and self._lacks.get(model, 0.0) > self._clock():
            return False
        available = self._available.get(model.name)
        if available is None:
            return True  # not asked yet: it says so itself if it has none
        return model.version in available if model.version is not None else bool(available)

    def lack(self, model: ModelRef) -> None:
        """Note that it has answered that it does not have this."""
        if len(self._lacks) >= MAX_LACKS:
            self._lacks.clear()
        self._lacks[model] = self._clock() + LACKS_S

    def tell_models(self, models: Mapping[str, Sequence[VersionStatus]]) -> bool:
        """Take over what a poll found; gives whether another set of versions is available now."""
        available = {
            name: frozenset(status.version for status in statuses if status.state == "AVAILABLE")
            for name, statuses in models.items()
        }
        changed = available != self._available
        if changed:
            self._lacks.clear()
        self.models, self._available = models, available
        return changed

    async def call(
        self, method: "grpc.aio.UnaryUnaryMultiCallable[Request, Response]", request: Request, timeout_s: float
    ) -> Response:
        """Send one request, counted while it is outstanding and by its gRPC code.

        Raises:
            grpc.aio.AioRpcError: The call failed.
        """
        self.outstanding += 1
        self._idle.clear()
        self._metrics.outstanding(self.outstanding)
        code = "CANCELLED"
        try:
            response = await method(request, timeout=timeout_s)
            code = "OK"
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            raise
        else:
            return response
        finally:
            self.outstanding -= 1
            if not self.outstanding:
                self._idle.set()
            self._metrics.outstanding(self.outstanding)
            self._metrics.answered(code)

    async def close(self, grace_s: float) -> None:
        """Let calls in flight end, then close the channel and take the backend out of the metrics."""
        try:
            async with asyncio.timeout(grace_s):
                await self._idle.wait()
        except TimeoutError:
            pass  # closing the channel ends what is left
        await self._channel.close()
        self._metrics.remove()
