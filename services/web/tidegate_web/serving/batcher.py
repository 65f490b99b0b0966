"""Natural batching: while a call is in flight, what arrives waits; when it returns, all that waits goes as one call.

There is no timer, so a lone client loses nothing; the busier the model servers, the larger the batches. Predictions are
joined only with others of their kind (model, version or label, signature, outputs, dtypes, row shapes), and only where
the signature lets every tensor have any number of rows. Each waiter keeps its own deadline, may leave at any time, and
is asked for by itself when a joined call fails by what somebody sent.
"""

from collections.abc import Callable

import numpy as np

from tidegate_web.prediction import Answered, ModelRef, Outcome, Prediction
from tidegate_web.serving.lane import Calls, Lane

MAX_LANES = 256
"""Kinds of prediction whose idle lanes are kept."""

Kind = tuple[ModelRef, str, tuple[str, ...], tuple[tuple[str, np.dtype[np.generic], tuple[int, ...]], ...]]


def kind_of(prediction: Prediction) -> Kind:
    """Return what two predictions must have in common to be joined."""
    return (
        prediction.model,
        prediction.signature,
        prediction.wanted,
        tuple([(name, array.dtype, array.shape[1:]) for name, array in prediction.inputs.items()]),
    )


class Batcher:
    """Sends predictions, joined where that is safe.

    Args:
        calls: What the calls are made with.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._lanes: dict[Kind, Lane] = {}

    async def predict(self, prediction: Prediction, timeout_s: float) -> Outcome:
        """Answer a prediction, alone or with others.

        Raises:
            TidegateError: As `send`; DeadlineExceeded when its time ran out, waiting or called for.
        """
        if not self._joins(prediction):
            self._calls.metrics.batch_rows.observe(prediction.rows)
            return await self._calls.send(prediction, timeout_s, None)
        return await self._lane(prediction).predict(prediction, timeout_s)

    def submit(self, prediction: Prediction, timeout_s: float, answered: Answered) -> Callable[[], None] | None:
        """Begin to answer a prediction that is joined with others, and call back; None where it is not."""
        if not self._joins(prediction):
            return None
        return self._lane(prediction).submit(prediction, timeout_s, answered)

    def poke(self) -> None:
        """Let those who wait try again: backends have come, gone or recovered."""
        for lane in self._lanes.values():
            lane.schedule()

    async def close(self) -> None:
        """Cancel every call in flight."""
        for lane in self._lanes.values():
            await lane.close()

    def _joins(self, prediction: Prediction) -> bool:
        return prediction.batchable and not prediction.uneven and prediction.rows < self._calls.batching.max_rows

    def _lane(self, prediction: Prediction) -> Lane:
        kind = kind_of(prediction)
        return self._lanes.get(kind) or self._open(kind)

    def _open(self, kind: Kind) -> Lane:
        if len(self._lanes) >= MAX_LANES:
            for old in [old for old, lane in self._lanes.items() if lane.idle][: MAX_LANES // 2]:
                del self._lanes[old]
        lane = self._lanes[kind] = Lane(kind[0], self._calls)
        return lane
