"""Arrival shapes, of which `TIDEGATE_SHAPE` picks one.

Locust uses whatever concrete LoadTestShape it finds and then ignores -u, -r and -t; so there is one only when asked
for. `TIDEGATE_USERS` (default 20) is the highest number of users, `TIDEGATE_PERIOD_S` (default 60) one period.
"""

import os
from collections.abc import Callable

from locust import LoadTestShape

PERIODS = 3
HALF = 0.5

Shape = Callable[[float, int], int]
"""From the share of a period that has passed (0 to 1), and the peak, to users."""


def step(share: float, peak: int) -> int:
    """A tenth, then the peak, each half a period."""
    return max(1, peak // 10) if share < HALF else peak


def ramp(share: float, peak: int) -> int:
    """Up to the peak in a straight line, and at once down again."""
    return max(1, round(peak * share))


def sawtooth(share: float, peak: int) -> int:
    """Up in a straight line and down in another."""
    return max(1, round(peak * (1 - abs(2 * share - 1))))


SHAPES: dict[str, Shape] = {"step": step, "ramp": ramp, "sawtooth": sawtooth}


def users_at(shape: Shape, run_time_s: float, peak: int, period_s: float) -> int | None:
    """Users at a time of the run; None when its periods are over."""
    if run_time_s >= PERIODS * period_s:
        return None
    return shape(run_time_s % period_s / period_s, peak)


def bind(name: str, peak: int, period_s: float) -> type[LoadTestShape]:
    """Make Locust's class of a shape.

    Raises:
        SystemExit: There is no shape of that name.
    """
    if name not in SHAPES:
        raise SystemExit(f"TIDEGATE_SHAPE={name}: expected one of {', '.join(SHAPES)}")
    shape = SHAPES[name]

    class ChosenShape(LoadTestShape):
        """The shape that the environment names."""

        def tick(self) -> tuple[int, float] | None:
            run_time_s: float = self.get_run_time()
            users = users_at(shape, run_time_s, peak, period_s)
            return None if users is None else (users, peak)

    return ChosenShape


if os.environ.get("TIDEGATE_SHAPE"):
    ChosenShape = bind(
        os.environ["TIDEGATE_SHAPE"],
        int(os.environ.get("TIDEGATE_USERS", "20")),
        float(os.environ.get("TIDEGATE_PERIOD_S", "60")),
    )
