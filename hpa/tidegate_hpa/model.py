"""The file that says what a pod can do and how long everything takes."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from .capacity import Capacity
from .errors import InputError
from .fleet import Delays
from .signals import Signal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .node import Node

_NAMED: Final = 5
# A step is a second, and every pod is created by a query
_LEAST: Final = {"sync_s": 1, "creation_per_s": 0.001}


@dataclass(frozen=True)
class Model:
    """What `simulate` needs beside arrivals and HPA.

    Args:
        capacity: of a pod.
        slo_s: seconds within which 99 of 100 requests have to be answered.
        delays: theirs if nothing is said.
        signals: what Pods, Object and External metrics show, by name.
        replicas: pods at the start; None = the HPA's minimum.
    """

    capacity: Capacity
    slo_s: float
    delays: Delays = field(default_factory=Delays)
    signals: Mapping[str, Signal] = field(default_factory=dict)
    replicas: int | None = None


def read(node: Node) -> Model:
    """Read a model: `capacity`, `delays` (fields as in Capacity and Delays), `slo_s`, `signals`, `replicas`.

    Raises:
        InputError: a field is missing, unknown, or has the wrong type.
    """
    _only_known(node, {"capacity", "delays", "slo_s", "signals", "replicas"})
    slo = node.required("slo_s")
    seconds = node.number("slo_s")
    if seconds is None or seconds <= 0:
        raise slo.unexpected("a number of seconds above 0")
    capacity, delays = node.required("capacity"), node.get("delays")
    capacity.required("service_time_s")
    made = Capacity(**_numbers(capacity, Capacity))
    if made.service_time_s <= 0 or made.concurrency < 1:
        raise InputError(f"{capacity.path}: expected service_time_s above 0 and concurrency from 1 on")
    return Model(
        capacity=made,
        slo_s=float(seconds),
        delays=Delays(**_numbers(delays, Delays)) if delays else Delays(),
        signals={name: _signal(name, shown) for name, shown in node.texts("signals").items()},
        replicas=node.integer("replicas"),
    )


def _only_known(node: Node, known: set[str]) -> None:
    unknown = sorted(node.mapping().keys() - known)
    if unknown:
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        raise InputError(f"{node.place}expected {', '.join(sorted(known))}, got {', '.join(unknown[:_NAMED])}{more}")


def _numbers(node: Node, kind: type[Capacity | Delays]) -> dict[str, Any]:
    whole = {"concurrency", "cpu_request_m", "idle_cpu_m", "max_pending"}
    names = {member.name for member in fields(kind)}
    _only_known(node, names)
    found = {name: node.integer(name) if name in whole else node.number(name) for name in names}
    given = {name: value for name, value in found.items() if value is not None}
    for name, value in given.items():
        least = _LEAST.get(name, 0)
        if value < least:
            raise InputError(f"{node.path}.{name}: expected a number from {least:g} on, got {value:g}")
    return given


def _signal(name: str, shown: str) -> Signal:
    if shown not in get_args(Signal):
        raise InputError(f"signals.{name}: expected one of {', '.join(get_args(Signal))}, got {shown!r}")
    return cast("Signal", shown)
