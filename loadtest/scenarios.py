"""Runs by name: which tier is loaded, with what, and along which shape. Loads are multiples of one replica's capacity.

Locust takes one by `LOADTEST_SCENARIO`, the proof by `tidegate-proof run`. Standard library only.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from arrivals import Process

Tier = Literal["web", "serving"]

TRACES = Path(__file__).with_name("samples")
"""Recorded traffic: see the README there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A run.

    Attributes:
        name: By which it is called.
        title: What it does.
        hypothesis: What a run of it may refute.
        tier: Which one is the bottleneck; the other is given more than it needs.
        model: What is asked.
        rows: In each request.
        work_iterations: Of each row where the model is `work`, else None.
        shape: A name in `arrivals.SHAPES`.
        base_of_knee: The bottom of the shape, as a multiple of what one replica can do within the SLO.
        peak_of_knee: Its top.
        duration_s: Seconds, warm-up apart.
        period_s: After how many seconds the shape starts anew; None for the whole run.
        trace: The file in `TRACES` that the shape `trace` follows, else None.
        time_scale: Seconds of the trace that pass in a second of the run.
        process: How arrivals lie within a second.
        added_every_s: Seconds in which the autoscaler may add one replica, so that each number of them is seen at
            work; None for as fast as it can. Locust does not set it.
    """

    name: str
    title: str
    hypothesis: str
    tier: Tier = "serving"
    model: str = "work"
    rows: int = 1
    work_iterations: int | None = 50  # a row is some 10 ms of a core; cheaper ones would measure the gateway
    shape: str
    base_of_knee: float
    peak_of_knee: float
    duration_s: int
    period_s: int | None = None
    trace: str | None = None
    time_scale: float = 1.0
    process: Process = "poisson"
    added_every_s: int | None = None

    @property
    def trace_path(self) -> Path | None:
        """Where the trace lies."""
        return TRACES / self.trace if self.trace else None


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="step",
            title="the model servers' load becomes six times what it was, at once, and goes back",
            hypothesis="Model servers are added until the SLO is met again, and those added go when the load does.",
            shape="step",
            base_of_knee=0.4,
            peak_of_knee=2.4,
            duration_s=360,
        ),
        Scenario(
            name="web-step",
            title="the gateways' load becomes six times what it was, at once, and goes back",
            hypothesis="Gateways are added until the SLO is met again, and those added go when the load does.",
            tier="web",
            model="and_gate",
            work_iterations=None,
            shape="step",
            base_of_knee=0.4,
            peak_of_knee=2.4,
            duration_s=360,
        ),
        Scenario(
            name="web-ramp",
            title="the gateways' load grows in a straight line to twice what one does",
            hypothesis="Gateways are added before they are needed: the SLO is violated for seconds at most.",
            tier="web",
            model="and_gate",
            work_iterations=None,
            shape="ramp",
            base_of_knee=0.3,
            peak_of_knee=2.0,
            duration_s=240,
        ),
        Scenario(
            name="spike",
            title="a short peak that is over about when new pods are ready",
            hypothesis="What is beyond capacity is refused at once, nothing is lost, and the SLO holds again after it.",
            shape="spike",
            base_of_knee=0.5,
            peak_of_knee=3.0,
            duration_s=300,
        ),
        Scenario(
            name="ramp",
            title="load that grows in a straight line",
            hypothesis="Model servers are added before they are needed: the SLO is violated for seconds at most.",
            shape="ramp",
            base_of_knee=0.3,
            peak_of_knee=2.4,
            duration_s=480,
        ),
        Scenario(
            name="diurnal",
            title="two days of seven and a half minutes, quiet at night",
            hypothesis="Model servers follow the day up and down without flapping, and the SLO holds.",
            shape="diurnal",
            base_of_knee=0.3,
            peak_of_knee=2.4,
            duration_s=900,
            period_s=450,
        ),
        Scenario(
            name="sawtooth",
            title="load that goes up and down every two minutes, faster than a scale-down may follow",
            hypothesis="Model servers stay for the next tooth: the number is changed seldom, and the SLO holds.",
            shape="sawtooth",
            base_of_knee=0.3,
            peak_of_knee=2.0,
            duration_s=720,
            period_s=120,
        ),
        Scenario(
            name="soak",
            title="half an hour at a load that two replicas carry",
            hypothesis="Nothing is lost, the number of model servers settles, and latency does not creep up.",
            shape="soak",
            base_of_knee=0.3,
            peak_of_knee=1.4,
            duration_s=1800,
        ),
        Scenario(
            name="overload",
            title="more than four replicas do, of which one comes every 45 seconds",
            hypothesis="Each model server that is added does as much as the first: throughput grows with their number.",
            shape="soak",
            base_of_knee=0.3,
            peak_of_knee=8.0,  # late answers count, so that four do more than four times the knee
            duration_s=240,
            added_every_s=45,
        ),
        Scenario(
            name="trace",
            title="an hour of two language-model services, four times as fast",
            hypothesis="Recorded bursts are followed: the SLO is violated for seconds at most, and nothing is lost.",
            shape="trace",
            base_of_knee=0.0,
            peak_of_knee=2.4,
            duration_s=870,
            trace="azure_llm_2023.csv.gz",
            time_scale=4.0,
        ),
    )
}
"""By name."""
