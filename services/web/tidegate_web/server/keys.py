"""What is kept of a request while it is answered, under a typed key."""

import time
from dataclasses import dataclass

from aiohttp import web

from tidegate_web.prediction import Reply


@dataclass(slots=True)
class Exchange:
    """One request and what is known of its answer.

    Attributes:
        request_id: The client's, or one of ours.
        deadline: Monotonic seconds by which it must be answered.
        reply: The model's answer, once there is one.
        failure: Word of the error table, where it failed.
    """

    request_id: str
    deadline: float
    reply: Reply | None = None
    failure: str = ""

    def remaining_s(self) -> float:
        """Return the seconds until the deadline, not below 0."""
        return max(0.0, self.deadline - time.monotonic())


EXCHANGE = web.RequestKey("exchange", Exchange)
