"""How the balancer spreads calls, on a simulated clock: open arrivals, each backend serving its calls one at a time."""

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from tidegate_web.serving.balancer import Balancer

if TYPE_CHECKING:
    from tidegate_web.serving.backend import Backend

CALLS = 20_000


@dataclass(eq=False)
class SimulatedBackend:
    """Serves one call after the other, each in `takes_s`."""

    takes_s: float
    outstanding: int = 0
    last_picked: int = 0
    free_at: float = 0.0

    def accept(self, now: float) -> float:
        """Take a call; gives when it is done."""
        self.outstanding += 1
        self.free_at = max(self.free_at, now) + self.takes_s
        return self.free_at


@dataclass
class Simulation:
    """Poisson arrivals at a share of what the backends can do together."""

    takes_s: list[float]
    load: float
    seed: int
    calls: Counter[int] = field(default_factory=Counter)

    def run(self) -> list[int]:
        """Give the calls that each backend got."""
        chance = random.Random(self.seed)
        balancer = Balancer(connect=lambda _: pytest.fail("nothing is connected here"), grace_s=0)
        backends = [SimulatedBackend(takes_s) for takes_s in self.takes_s]
        per_second = self.load * sum(1 / takes_s for takes_s in self.takes_s)
        done: list[tuple[float, int]] = []
        now = 0.0
        for _ in range(CALLS):
            now += chance.expovariate(per_second)
            while done and done[0][0] <= now:
                backends[heapq.heappop(done)[1]].outstanding -= 1
            chosen = cast("SimulatedBackend", balancer.choose(cast("list[Backend]", backends)))
            index = backends.index(chosen)
            self.calls[index] += 1
            heapq.heappush(done, (chosen.accept(now), index))
        return [self.calls[index] for index in range(len(backends))]


@pytest.mark.parametrize("load", [0.1, 0.5, 0.9, 1.5])
@pytest.mark.parametrize("count", [2, 4, 10])
def test_equal_backends_get_equal_shares(count, load):
    calls = Simulation([0.01] * count, load, seed=count).run()
    mean = CALLS / count
    assert max(abs(got - mean) for got in calls) <= 0.10 * mean, calls


@pytest.mark.parametrize("load", [0.5, 0.9])
def test_a_slow_backend_gets_less(load):
    *equals, slow = Simulation([0.01, 0.01, 0.01, 0.05], load, seed=1).run()
    assert slow < min(equals) / 2
