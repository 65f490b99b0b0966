"""Time lines: load change, decision, pod created, Ready, first answer, SLO back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tidegate_proof.record.plan import Plan, Tier
from tidegate_proof.record.scaling_figures import Reaction, Replicas, ScaleEvent
from tidegate_proof.verdict.outcomes import SECOND, Windows
from tidegate_proof.verdict.pods import Pod

HOLD_WINDOWS = 5
"""So many windows in a row without violation are the SLO kept again; fewer before the next change or the end do."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the load.

    Attributes:
        start_s: When.
        end_s: The next change, or the end.
        measured: Whether its phase is.
        slo_back_ns: When the SLO was kept again: its own start where it was never violated; None where it never was.
    """

    start_s: int
    end_s: int
    measured: bool
    slo_back_ns: int | None

    def holds(self, t_ns: int) -> bool:
        """Whether something happened after this change and before the next."""
        return self.start_s * SECOND <= t_ns < self.end_s * SECOND


def changes_of(plan: Plan, windows: Windows) -> list[Change]:
    """Return the changes of the load."""
    return [
        Change(phase.start_s, end, phase.measured, _slo_back(windows, phase.start_s, end))
        for phase, end in plan.changes()
    ]


def _slo_back(windows: Windows, start_s: int, end_s: int) -> int | None:
    first, last = -(-start_s // windows.length_s), -(-end_s // windows.length_s)
    violated = windows.violated[first:last]
    if not violated.any():
        return start_s * SECOND
    for place in range(int(np.argmax(violated)) + 1, len(violated)):
        if not violated[place : place + HOLD_WINDOWS].any():
            return (first + place) * windows.length_s * SECOND
    return None


def scale_events_of(
    tier: Tier,
    replicas: Replicas,
    pods: Sequence[Pod],
    changes: Sequence[Change],
    first_answers: Mapping[str, int],
) -> list[ScaleEvent]:
    """Return the decisions about a tier, with what came of each.

    Args:
        tier: Which one.
        replicas: Its own.
        pods: Of both tiers.
        changes: Of the load.
        first_answers: By pod, when its first right answer arrived.
    """
    mine = [pod for pod in pods if pod.tier == tier]
    desired = replicas.desired
    ends = [*(t_ns for t_ns, _ in desired[2:]), np.iinfo(np.int64).max]
    events: list[ScaleEvent] = []
    for ((_, before), (decided_ns, after)), end_ns in zip(pairwise(desired), ends, strict=False):
        change = next((change for change in changes if change.holds(decided_ns)), None)
        concerned = _between(mine, decided_ns, int(end_ns), up=after > before)
        events.append(
            ScaleEvent(
                tier=tier,
                replicas_from=before,
                replicas_to=after,
                load_change_ns=None if change is None else change.start_s * SECOND,
                decided_ns=decided_ns,
                pods=tuple(pod.name for pod in concerned),
                created_ns=tuple(pod.created_ns for pod in concerned),
                ready_ns=tuple(pod.ready_ns for pod in concerned),
                first_answer_ns=tuple(first_answers.get(pod.name) for pod in concerned),
                gone_ns=tuple(pod.gone_ns for pod in concerned),
                slo_back_ns=None if change is None else change.slo_back_ns,
            )
        )
    return events


def _between(pods: Sequence[Pod], start_ns: int, end_ns: int, *, up: bool) -> list[Pod]:
    """Return the pods that were made, or that went, within a time."""
    times = ((pod, pod.created_ns if up else pod.gone_ns) for pod in pods)
    return [pod for pod, t_ns in times if t_ns is not None and start_ns <= t_ns < end_ns]


def reaction_of(events: Sequence[ScaleEvent], changes: Sequence[Change], plan: Plan) -> Reaction:
    """Return a tier's slowest reaction.

    Args:
        events: Of the tier.
        changes: Of the load.
        plan: Of the run.
    """
    spans = [(phase.start_s * SECOND, phase.end_s * SECOND) for phase in plan.phases if phase.measured]
    counted = [event for event in events if any(start <= event.decided_ns < end for start, end in spans)]
    ups = [event for event in counted if event.replicas_to > event.replicas_from]
    mine = [change for change in changes if change.measured]
    grown = [(change, found) for change in mine if (found := [up for up in ups if change.holds(up.decided_ns)])]
    return Reaction(
        ups=len(ups),
        downs=len(counted) - len(ups),
        decided_s=_slowest((change, min(up.decided_ns for up in found)) for change, found in grown),
        ready_s=_slowest((change, _first(t for up in found for t in up.ready_ns)) for change, found in grown),
        first_answer_s=_slowest(
            (change, _first(t for up in found for t in up.first_answer_ns)) for change, found in grown
        ),
        slo_back_s=_slowest((change, change.slo_back_ns) for change in mine),
    )


def _first(times: Iterable[int | None]) -> int | None:
    return min((t_ns for t_ns in times if t_ns is not None), default=None)


def _slowest(reached: Iterable[tuple[Change, int | None]]) -> float | None:
    """Return the longest time from a change; None where one was never followed, or without any."""
    times = list(reached)
    seconds = [t_ns / SECOND - change.start_s for change, t_ns in times if t_ns is not None]
    return max(seconds) if seconds and len(seconds) == len(times) else None
