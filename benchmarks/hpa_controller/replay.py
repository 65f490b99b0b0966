"""The recorded figures through our arithmetic, sync by sync, and how near it came."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

from hpa_controller.metrics_api import Asked
from hpa_controller.scenarios import Scenario
from tidegate_hpa import autoscaler, labels
from tidegate_hpa.figures import Figures, ObjectValue
from tidegate_hpa.horizontal import Scale, Surroundings, reconcile_autoscaler
from tidegate_hpa.memory import Memory
from tidegate_hpa.node import Node
from tidegate_hpa.settings import Settings
from tidegate_hpa.timestamps import NEVER

TOGETHER_S = 5.0
"""Questions of one HPA that are nearer than this belong to one sync."""


@dataclass(frozen=True)
class Sync:
    """One sync: when, what each metric showed, and how many replicas the controller wanted afterwards."""

    second: float
    values: tuple[int | None, ...]
    desired: int


def _figures(scenario: Scenario, values: Sequence[int | None]) -> Figures:
    """The metrics APIs at one sync."""
    shown = [
        ObjectValue(f"load-{index}", "Service", scenario.name, "default", value, None, NEVER, 0)
        for index, value in enumerate(values)
        if value is not None
    ]
    return Figures((), (), shown, ())


def syncs(scenario: Scenario, asked: Sequence[Asked], desired: Sequence[tuple[float, int]]) -> list[Sync]:
    """Return the syncs of one HPA.

    Args:
        scenario: whose.
        asked: the questions about it.
        desired: when its status said how many replicas it wants, since the same start.
    """
    groups: list[list[Asked]] = []
    for question in sorted(asked, key=lambda one: one.second):
        if not groups or question.second - groups[-1][0].second > TOGETHER_S:
            groups.append([])
        groups[-1].append(question)
    found: list[Sync] = []
    for group, following in pairwise(groups):
        values: list[int | None] = [None] * len(scenario.series)
        for question in group:
            values[question.metric] = question.value
        after = [count for second, count in desired if second < following[0].second]
        if after:
            found.append(Sync(group[0].second, tuple(values), after[-1]))
    return found


def replayed(scenario: Scenario, recorded: Sequence[Sync], start: int) -> list[int]:
    """Return the replicas that our controller wants at each sync, from the figures alone: it never sees the real one's.

    Args:
        scenario: whose HPA.
        recorded: the syncs.
        start: replicas before the first.
    """
    hpa = autoscaler.from_object(Node(scenario.manifest(), ""), "default")
    memory, replicas, wanted = Memory(), start, []
    before = recorded[0].second
    for sync in recorded:
        memory, before = memory.older(sync.second - before), sync.second
        surroundings = Surroundings(
            scale=Scale(replicas, replicas, f"app={scenario.name}"),
            pods=(),
            metrics=_figures(scenario, sync.values),
            selecting={hpa.key: labels.parse(f"app={scenario.name}")},
            now=round(sync.second * 1e9),
        )
        result = reconcile_autoscaler(hpa, surroundings, memory, Settings())
        memory, replicas = result.memory, result.desired_replicas or 0
        wanted.append(replicas)
    return wanted


@dataclass(frozen=True)
class Agreement:
    """How many of the syncs were foretold.

    Attributes:
        syncs: How many there were.
        exact: Ours said the same at the same sync.
        within_one: Ours said the same, or what the controller said one sync earlier or later.
        last_value: What the controller said was what it had said a sync before: the predictor that knows nothing.
    """

    syncs: int
    exact: int
    within_one: int
    last_value: int

    def __add__(self, other: "Agreement") -> "Agreement":
        return Agreement(*(one + two for one, two in zip(asdict(self).values(), asdict(other).values(), strict=True)))


def agreement(wanted: Sequence[int], recorded: Sequence[Sync]) -> Agreement:
    """Compare what ours wanted with what the controller wanted."""
    real = [sync.desired for sync in recorded]
    near = [set(real[max(0, index - 1) : index + 2]) for index in range(len(real))]
    return Agreement(
        syncs=len(real),
        exact=sum(ours == theirs for ours, theirs in zip(wanted, real, strict=True)),
        within_one=sum(ours in theirs for ours, theirs in zip(wanted, near, strict=True)),
        last_value=sum(one == two for one, two in pairwise(real)),
    )
