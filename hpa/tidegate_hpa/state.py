"""The controller's state as it goes in with `--state` and comes out with the answer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeVar

from .errors import InputError
from .memory import Memory, Recommendation, ScaleEvent
from .settings import Settings
from .timestamps import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .memory import Age
    from .node import Node

_ENTRIES: Final = ("recommendations", "scaleUpEvents", "scaleDownEvents")
_CONTROLLER: Final = {
    "syncPeriodSeconds": "sync_period",
    "downscaleStabilizationSeconds": "downscale_stabilization",
    "cpuInitializationPeriodSeconds": "cpu_initialization_period",
    "initialReadinessDelaySeconds": "initial_readiness_delay",
}


@dataclass(frozen=True)
class State:
    """What a reconcile starts from.

    Args:
        now: nanoseconds since 1970; None = the clock.
        settings: the controller's flags.
        memory: of every HPA that has none of its own.
        memories: by namespace/name.
        unknown: names that mean nothing here.
    """

    now: int | None = None
    settings: Settings = field(default_factory=Settings)
    memory: Memory = field(default_factory=Memory)
    memories: Mapping[str, Memory] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    def of(self, key: str) -> Memory:
        """Return the memory of the HPA namespace/name."""
        return self.memories.get(key, self.memory)


def read(node: Node) -> State:
    """Read a state. null is the same as absent, 0 is not.

    Raises:
        InputError: a field has the wrong type.
    """
    general = _memory(node, Memory())
    by_hpa = node.get("hpas")
    memories = (
        {
            key: _memory(member, general)
            for key, member in ((key, by_hpa.get(key)) for key in by_hpa.mapping())
            if member is not None
        }
        if by_hpa
        else {}
    )
    known = {"now", "controller", "hpas", *_ENTRIES}
    flags, controller = {*_CONTROLLER, "tolerance", "configurableTolerance"}, node.get("controller")
    return State(
        now=node.timestamp("now"),
        settings=_settings(controller),
        memory=general,
        memories=memories,
        unknown=(
            *(key for key in node.mapping() if key not in known),
            *(f"controller.{key}" for key in (controller.mapping() if controller else ()) if key not in flags),
        ),
    )


def _settings(node: Node | None) -> Settings:
    if node is None:
        return Settings()
    spans: dict[str, int] = {}
    for key, name in _CONTROLLER.items():
        span = node.number(key)
        if span is not None:
            spans[name] = seconds(span)
    standard = replace(Settings(), **spans)  # type: ignore[arg-type] # the spans are integers, the rest is not among them
    tolerance, configurable = node.number("tolerance"), node.boolean("configurableTolerance")
    return replace(
        standard,
        tolerance=standard.tolerance if tolerance is None else float(tolerance),
        configurable_tolerance=standard.configurable_tolerance if configurable is None else configurable,
    )


Entry = TypeVar("Entry")


def _memory(node: Node, general: Memory) -> Memory:
    recommendations = _entries(node, "recommendations", Recommendation, "replicas")
    ups = _entries(node, "scaleUpEvents", ScaleEvent, "change")
    downs = _entries(node, "scaleDownEvents", ScaleEvent, "change")
    return Memory(
        general.recommendations if recommendations is None else recommendations,
        general.scale_up_events if ups is None else ups,
        general.scale_down_events if downs is None else downs,
    )


def _entries(node: Node, key: str, entry: Callable[[int, Age], Entry], figure: str) -> tuple[Entry, ...] | None:
    if node.get(key) is None:
        return None
    read_entries: list[Entry] = []
    for member in node.members(key):
        value, age = member.integer(figure), member.number("ageSeconds")
        if value is None or age is None:
            raise InputError(f"{member.path}: expected {figure!r} and 'ageSeconds', found {sorted(member.mapping())}")
        read_entries.append(entry(value, age))
    return tuple(read_entries)


def written(memory: Memory) -> dict[str, object]:
    """Return a memory as `--state` takes it."""
    recommendations = memory.recommendations
    return {
        "recommendations": None
        if recommendations is None
        else [{"replicas": entry.replicas, "ageSeconds": entry.age} for entry in recommendations],
        "scaleUpEvents": [{"change": event.change, "ageSeconds": event.age} for event in memory.scale_up_events],
        "scaleDownEvents": [{"change": event.change, "ageSeconds": event.age} for event in memory.scale_down_events],
    }
