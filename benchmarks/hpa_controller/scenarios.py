"""Scripted series: what the metric of each HPA shows, sync by sync."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

STEP_S = 15
"""A series has a new figure so often: as often as the controller asks."""

TARGET_M = 10_000
"""The target of every metric, 10 a pod, in thousandths."""

Series = Callable[[int], int | None]
"""From the number of the step to the total in thousandths; None = the metric is not there."""

EAGER: dict[str, Any] = {
    "scaleUp": {"policies": [{"type": "Percent", "value": 900, "periodSeconds": 15}]},
    "scaleDown": {"stabilizationWindowSeconds": 0},
}


@dataclass(frozen=True)
class Scenario:
    """One HPA on one Deployment.

    Attributes:
        name: Its objects' name.
        series: One for each metric.
        behavior: Of the HPA; None = none.
        minimum: Fewest replicas.
        maximum: Most.
    """

    name: str
    series: tuple[Series, ...]
    behavior: dict[str, Any] | None = field(default_factory=lambda: EAGER)
    minimum: int = 1
    maximum: int = 60

    def manifest(self) -> dict[str, Any]:
        """Return the HPA."""
        spec: dict[str, Any] = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": self.name},
            "minReplicas": self.minimum,
            "maxReplicas": self.maximum,
            "metrics": [self._metric(index) for index in range(len(self.series))],
        }
        if self.behavior is not None:
            spec["behavior"] = self.behavior
        return {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": self.name},
            "spec": spec,
        }

    def _metric(self, index: int) -> dict[str, Any]:
        described = {"apiVersion": "v1", "kind": "Service", "name": self.name}
        target = {"type": "AverageValue", "averageValue": f"{TARGET_M}m"}
        return {
            "type": "Object",
            "object": {"metric": {"name": f"load-{index}"}, "describedObject": described, "target": target},
        }


def _walk(seed: int, low: int, high: int, stride: int) -> Series:
    """Return a wandering load, in pods."""

    def at(step: int) -> int:
        dice, here = random.Random(seed), (low + high) // 2  # noqa: S311 - a series needs no secrecy
        for _ in range(step + 1):
            here = max(low, min(high, here + dice.randint(-stride, stride)))
        return here * TARGET_M

    return at


def _wave(low: int, high: int, period: int) -> Series:
    return lambda step: (high if step % period < period // 2 else low) * TARGET_M


def _ramp(low: int, high: int, steps: int) -> Series:
    return lambda step: round((low + (high - low) * (step % steps) / (steps - 1)) * TARGET_M)


def _gaps(series: Series, every: int) -> Series:
    return lambda step: None if step % every == every - 1 else series(step)


def _edges(step: int) -> int:
    """Just inside and just outside a tolerance of 10 %, of whatever a fleet of ten has come to."""
    return (99_999, 100_000, 109_999, 110_000, 110_001, 121_001, 90_001, 89_999)[step % 8]


def _rules(direction: str, **rules: object) -> dict[str, Any]:
    return {**EAGER, direction: rules}


SCENARIOS = (
    Scenario("walk", (_walk(1, 2, 50, 12),)),
    Scenario("no-behavior", (_walk(2, 2, 50, 20),), behavior=None),
    Scenario("flapping", (_wave(3, 45, 2),)),
    Scenario("ramp", (_ramp(2, 55, 12),)),
    Scenario("tolerance", (_edges,)),
    Scenario(
        "up-by-pods",
        (_wave(2, 40, 16),),
        _rules("scaleUp", policies=[{"type": "Pods", "value": 3, "periodSeconds": 30}]),
    ),
    Scenario(
        "up-by-the-lesser",
        (_wave(2, 50, 14),),
        _rules(
            "scaleUp",
            selectPolicy="Min",
            policies=[
                {"type": "Pods", "value": 5, "periodSeconds": 15},
                {"type": "Percent", "value": 50, "periodSeconds": 15},
            ],
        ),
    ),
    Scenario(
        "down-by-percent",
        (_wave(2, 40, 16),),
        _rules(
            "scaleDown", stabilizationWindowSeconds=0, policies=[{"type": "Percent", "value": 20, "periodSeconds": 15}]
        ),
    ),
    Scenario("down-window", (_walk(3, 2, 40, 15),), _rules("scaleDown", stabilizationWindowSeconds=45)),
    Scenario(
        "up-window",
        (_walk(4, 2, 40, 15),),
        {"scaleUp": {**EAGER["scaleUp"], "stabilizationWindowSeconds": 45}, "scaleDown": EAGER["scaleDown"]},
    ),
    Scenario("missing", (_gaps(_walk(5, 2, 40, 12), 3),)),
    Scenario("two-metrics", (_walk(6, 2, 40, 12), _gaps(_walk(7, 2, 40, 12), 2))),
    Scenario("bounds", (_walk(8, 0, 30, 12),), minimum=5, maximum=20),
)
