"""Lets the generator go first: it needs little, but what it is late by would be measured as the server's."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

REAL_TIME = 1
"""The lowest of the real-time priorities: before every ordinary process, behind the system's own."""

ORDINARY = -10
"""The system's number for others: the lower, the sooner."""


@contextlib.contextmanager
def raised() -> Iterator[str]:
    """Raise this thread's priority as far as the system allows, while the context lasts; gives in words how far."""
    how, restore = _raise()
    try:
        yield how
    finally:
        restore()


def _raise() -> tuple[str, Callable[[], None]]:
    """Raise it; gives how far in words, and what undoes it."""
    if sys.platform == "linux":
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(REAL_TIME))
            return "real time", lambda: os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, min(before, ORDINARY))
        return f"priority {ORDINARY}", lambda: os.setpriority(os.PRIO_PROCESS, 0, before)
    return "as any other process", lambda: None


def allowed() -> str:
    """Say in words how far the system lets this process raise its priority."""
    with raised() as how:
        return how
