"""What a proof consists of: for each tier a knee, runs that have to pass, and controls that have to fail."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scenarios import SCENARIOS, Scenario
from tidegate_proof.live.sizing import FROZEN, PINNED
from tidegate_proof.record.knee import Search
from tidegate_proof.record.plan import Control, Slo, Tier

ROWS = 512
"""Of the AND gate in a request, which a gateway reads and writes as JSON: one answers some hundred a second."""

ITERATIONS = 40
"""Of model `work`: some 8 ms of a processor for a row, so that a small pod answers tens of them a second."""


@dataclass(frozen=True, slots=True)
class Item:
    """A run of a proof.

    Attributes:
        scenario: What.
        duration_s: How long.
        control: What is broken on purpose.
    """

    scenario: Scenario
    duration_s: int
    control: Control | None = None

    @property
    def name(self) -> str:
        """Its folder, but for repeats."""
        return "-".join(filter(None, (self.scenario.name, self.control)))


@dataclass(frozen=True, slots=True)
class Part:
    """What is shown of a tier, in a namespace of its own.

    Attributes:
        tier: Which one.
        slo: What is promised.
        search: For the knee.
        back_s: Seconds that pods may take to help.
        items: In order.
    """

    tier: Tier
    slo: Slo
    search: Search
    back_s: int
    items: Sequence[Item]

    @property
    def first(self) -> Scenario:
        """The scenario whose requests the knee is measured by."""
        return self.items[0].scenario


def sized(scenario: Scenario) -> Scenario:
    """Return a scenario with requests of which small pods answer tens to hundreds a second: a record stays small."""
    if scenario.work_iterations:
        return replace(scenario, work_iterations=ITERATIONS)
    return replace(scenario, rows=ROWS)


def with_controls(name: str, duration_s: int, repeats: int = 1) -> list[Item]:
    """Return a scenario so many times, and each of its controls once."""
    scenario = sized(SCENARIOS[name])
    controls: tuple[Control, ...] = (FROZEN, PINNED)
    return [
        *(Item(scenario, duration_s) for _ in range(repeats)),
        *(Item(scenario, duration_s, control) for control in controls),
    ]


SERVING_SLO = Slo(latency_ms=400)
WEB_SLO = Slo(latency_ms=200)

SHORT = (
    Part(
        "serving",
        SERVING_SLO,
        Search(lowest_rps=8, highest_rps=500, duration_s=8, resolution=0.2, most_steps=14),
        back_s=40,
        items=with_controls("step", 120),
    ),
)
"""Some eleven minutes."""

FULL = (
    Part(
        "serving",
        SERVING_SLO,
        Search(lowest_rps=8, highest_rps=500, duration_s=10, resolution=0.15),
        back_s=45,
        items=[
            # First: the controller allows more at once while it remembers that it took pods away
            Item(sized(SCENARIOS["overload"]), SCENARIOS["overload"].duration_s),
            *with_controls("step", 160, repeats=3),
            Item(sized(SCENARIOS["ramp"]), 300),
            Item(sized(SCENARIOS["sawtooth"]), 360),
        ],
    ),
    Part(
        "web",
        WEB_SLO,
        Search(lowest_rps=8, highest_rps=1000, duration_s=8, resolution=0.15),
        # Not a step: until the CPU signal has shown one, 45 s later, more waits than any client has patience for
        back_s=20,
        items=with_controls("web-ramp", SCENARIOS["web-ramp"].duration_s),
    ),
)
"""Some fifty-five minutes."""
