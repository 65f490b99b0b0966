"""A run as one process sees it: its clock, its accounts and, in an open loop, who hands out the arrivals.

It hangs on Locust's Environment, not on this module: Locust imports each module of a folder once more than Python does.
"""

from collections.abc import Sequence
from time import monotonic_ns
from typing import TYPE_CHECKING

import gevent
from locust.env import Environment

from dispatcher import Dispatcher
from ledger import Ledger

if TYPE_CHECKING:
    from gevent.event import AsyncResult

ATTRIBUTE = "tidegate_run"

LEARN_S = 0.5
"""How long arrivals are put off until a gateway tells what its model takes: less than `shapes.MARGIN_S`."""


class RunState:
    """One run in this process.

    Args:
        environment: Locust's.
        slo_ms: An answer that takes longer is too late.
        open_loop: Whether arrivals come at intended times, from `begin` on; else the run's time starts at once.

    Attributes:
        learned: What this process's users send, once the first of them has asked; None while nobody needs to.
    """

    def __init__(self, environment: Environment, slo_ms: float, *, open_loop: bool) -> None:
        self.ledger = Ledger(slo_ms)
        self.dispatcher = Dispatcher(self._leave_out) if open_loop else None
        self._environment = environment
        self._started_ns = None if open_loop else monotonic_ns()
        self.planned: Sequence[int] = ()
        self._ended_ns: int | None = None
        self._greenlet: gevent.Greenlet | None = None
        self.learned: AsyncResult | None = None

    @property
    def begun(self) -> bool:
        """Whether the run's time has started."""
        return self._started_ns is not None

    @property
    def under_way(self) -> bool:
        """Whether it has started and not ended."""
        return self.begun and self._ended_ns is None

    def get_ready(self) -> None:
        """Wait until users know what to send: those who ask for it first would leave the first arrivals unsent."""
        gevent.sleep(0)  # they have been started, and not run yet
        if self.learned:
            self.learned.wait(LEARN_S)

    def begin(self, due_ns: Sequence[int], planned: Sequence[int] = ()) -> None:
        """Start the run's time, and hand out arrivals where there are any to hand out here.

        Args:
            due_ns: When each of this process's arrivals is due, in nanoseconds since now, in order.
            planned: Arrivals of the whole run in each second, where they are known.
        """
        self._started_ns = monotonic_ns()
        self.planned = planned
        if self.dispatcher and due_ns:
            self._greenlet = gevent.spawn(self.dispatcher.run, due_ns, self._started_ns)

    def end(self) -> None:
        """Hand out no more, and remember the time."""
        self._ended_ns = monotonic_ns()
        if self._greenlet:
            self._greenlet.kill(block=False)

    def now_ns(self) -> int:
        """Return the run's time; 0 before its start."""
        return monotonic_ns() - self._started_ns if self._started_ns is not None else 0

    def elapsed_s(self) -> float:
        """Return how long the run has lasted, or lasted."""
        if self._started_ns is None:
            return 0.0
        return ((self._ended_ns or monotonic_ns()) - self._started_ns) / 1e9

    def _leave_out(self, due_ns: int) -> None:
        self.ledger.undispatched(due_ns)
        self._environment.events.request.fire(
            request_type="ARRIVAL",
            name="undispatched",
            response_time=None,
            response_length=0,
            exception=RuntimeError("no user was free to send it: more LOADTEST_USERS or workers, or less load"),
            context={},
        )


def attach(environment: Environment, state: RunState) -> None:
    """Make it this environment's."""
    setattr(environment, ATTRIBUTE, state)


def of(environment: Environment) -> RunState:
    """Return an environment's."""
    state: RunState = getattr(environment, ATTRIBUTE)
    return state
