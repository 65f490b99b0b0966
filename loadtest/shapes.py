"""What Locust follows instead of -u, -r and -t, where `LOADTEST_SHAPE`, `_ARRIVALS` or `_SCENARIO` say how much load.

Locust uses whatever concrete LoadTestShape it finds; so there is one only when asked for.
"""

from typing import TYPE_CHECKING, cast

from locust import LoadTestShape

import run_state
from checked import SETTINGS
from settings import Load

if TYPE_CHECKING:
    from locust.runners import Runner

SPAWN_S = 1
"""In an open loop, the users that send are there after so many seconds; arrivals begin then."""

MARGIN_S = 1
"""Workers' clocks start a message later than the master's."""


def bind(load: Load) -> type[LoadTestShape]:
    """Make Locust's class of a course of load."""

    class ClosedShape(LoadTestShape):
        """So many users at a time as the shape says."""

        def tick(self) -> tuple[int, float] | None:
            second = int(self.get_run_time())
            if second >= load.duration_s:
                return None
            return max(1, round(load.rates[second])), load.users

    class OpenShape(LoadTestShape):
        """Always the same users; the end comes when all arrivals were due."""

        def tick(self) -> tuple[int, float] | None:
            state = run_state.of(cast("Runner", self.runner).environment)
            if state.under_way and state.elapsed_s() >= load.duration_s + MARGIN_S:
                return None
            return load.users, max(1, load.users / SPAWN_S)

    return OpenShape if load.process else ClosedShape


if SETTINGS.load:
    ChosenShape = bind(SETTINGS.load)
