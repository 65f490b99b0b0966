"""What is kept of a request while it is answered, under a typed key."""

from dataclasses import dataclass

from aiohttp import web

from tidegate_web.prediction import Outcome


@dataclass(slots=True)
class Exchange:
    """One request and what is known of its answer.

    Attributes:
        request_id: The client's, or one of ours.
        deadline: Monotonic seconds by which it must be answered.
        outcome: The model's answer, once there is one.
        failure: Word of the error table, where it failed.
    """

    request_id: str
    deadline: float
    outcome: Outcome | None = None
    failure: str = ""


EXCHANGE = web.RequestKey("exchange", Exchange)
