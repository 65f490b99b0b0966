"""Makes a run's plan: the load as multiples of one replica's capacity, what it must show, and on what it runs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from tidegate_proof.record.plan import Control, Phase, Slo, Threshold, Tier

MOST_PHASES = 8
"""A load with more levels than this changes all the time; it is one phase."""

SPREAD = 0.25
"""Least share of its fair share that a pod must get while it is Ready."""

EFFICIENT = 0.7
"""Least share of its fair share that a replica must add: the rest is contention."""

NEAR = 0.7
"""Least share of seconds with a number of replicas that was forecast; a forecast of no change has half of a step's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a run promises, fixed before it.

    Attributes:
        slo: What a good answer is.
        back_s: Seconds after a rise of the load in which the promise may be broken: the controller's period (15 s), as
            much again for a signal that is a mean of 15 s, and the time that a pod takes to start.
        violation_s: The same over the whole run.
        timeout_s: After which a request is given up.
        warm_up_s: At the base load.
    """

    slo: Slo
    back_s: int
    violation_s: int
    timeout_s: float
    warm_up_s: int = 10

    @classmethod
    def of(cls, slo: Slo, back_s: int) -> "Terms":
        """Derive them: a quarter more violation in all than after a rise, and clients that wait for eight SLOs."""
        return cls(slo=slo, back_s=back_s, violation_s=back_s + back_s // 4, timeout_s=max(2.0, 8e-3 * slo.latency_ms))


def phases(rates: Sequence[float], warm_up_s: int, back_s: int) -> tuple[Phase, ...]:
    """Cut a load into phases: one for each level that it keeps; a rise is followed by `react`, in which pods may come.

    Args:
        rates: Requests/s in each second after warm-up.
        warm_up_s: Seconds before those.
        back_s: Length of `react`.
    """
    made = [Phase(name="warm-up", start_s=0, end_s=warm_up_s, measured=False, change=False)]
    levels = [(rate, len(list(same))) for rate, same in groupby(rates)]
    if len(levels) > MOST_PHASES:
        return (*made, Phase(name="load", start_s=warm_up_s, end_s=warm_up_s + len(rates), measured=True, change=True))
    at, before = warm_up_s, rates[0]
    times: Counter[str] = Counter()

    def add(name: str, end: int, *, change: bool) -> None:
        times[name] += 1
        own = name if times[name] == 1 else f"{name}-{times[name]}"
        made.append(Phase(name=own, start_s=made[-1].end_s, end_s=end, measured=True, change=change))

    for rate, seconds in levels:
        end = at + seconds
        if rate > before and seconds > back_s:
            add("react", at + back_s, change=True)
            add("settled", end, change=False)
        else:
            add("rise" if rate > before else "down" if rate < before else "low", end, change=rate != before)
        at, before = end, rate
    return tuple(made)


def thresholds(
    planned: Sequence[Phase], tier: Tier, terms: Terms, *, foreseen: bool, overloaded_rps: float | None = None
) -> tuple[Threshold, ...]:
    """Return what decides, whatever a control breaks: the same for every run of a scenario.

    Args:
        planned: The run's phases.
        tier: That is measured.
        terms: What is promised.
        foreseen: Whether there is a forecast of its replicas.
        overloaded_rps: Capacity of a replica where more is asked all the time than all of them do, to see how much that
            is; None where a promise is to be kept.
    """
    slo = terms.slo
    made = [
        Threshold(name="nothing lost", metric="total.lost", op="==", limit=0,
                  why="pods come and go, and every request that was sent is answered"),
    ]  # fmt: skip
    if overloaded_rps is None:
        made.append(
            Threshold(name="violation seconds", metric="total.violation_s", op="<=", limit=terms.violation_s,
                      why="the promise is broken only while new pods come")
        )  # fmt: skip
    else:
        made += [
            Threshold(name="one replica does its part", metric="efficiency.one_rps", op=">=",
                      limit=round(EFFICIENT * overloaded_rps, 3),
                      why="right answers a second of the first, beside its capacity"),
            Threshold(name="each replica adds to it", metric="efficiency.least", op=">=", limit=EFFICIENT,
                      why="least throughput of N replicas, by N times that of one"),
        ]  # fmt: skip
    made += [
        Threshold(name=f"p99 while {phase.name}", metric=f"phases.{phase.name}.latency_ns.p99", op="<=",
                  limit=slo.latency_ns, why="the pods that came carry the load")
        for phase in planned
        if phase.name.startswith("settled")
    ]  # fmt: skip
    if any(phase.name.startswith(("react", "rise")) for phase in planned):
        made.append(
            Threshold(name="promise kept again", metric=f"reaction.{tier}.slo_back_s", op="<=", limit=terms.back_s,
                      why="seconds from the rise of the load")
        )  # fmt: skip
    if any(phase.name.startswith(("react", "rise", "load")) for phase in planned):
        made.append(
            Threshold(name="every pod works", metric=f"spread.{tier}.least", op=">=", limit=SPREAD,
                      why="a replica that gets nothing is paid for and useless")
        )  # fmt: skip
    if any(phase.name.startswith("down") for phase in planned):
        made.append(
            Threshold(name="pods go again", metric=f"reaction.{tier}.downs", op=">=", limit=1,
                      why="an autoscaler that only adds is a bill")
        )  # fmt: skip
    if foreseen:
        made.append(
            Threshold(name="as foreseen", metric=f"forecast.{tier}.near_share", op=">=", limit=NEAR,
                      why="share of seconds with a number of replicas that was forecast, give or take a period of the "
                          "controller")
        )  # fmt: skip
    return tuple(made)


def hypothesis(text: str, control: Control | None) -> str:
    """Say what a run is to show; a control's run is to refute it."""
    broken: Mapping[Control, str] = {
        "frozen-hpa": "the autoscaler may not add a pod",
        "pinned": "all requests go to one pod",
    }
    return text if control is None else f"{text} (Control: {broken[control]}, so this must fail.)"
