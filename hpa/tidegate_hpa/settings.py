"""The controller manager's flags that the algorithm depends on. Spans in nanoseconds.

Source: kubernetes v1.35.0, pkg/controller/podautoscaler/config/v1alpha1/defaults.go; features HPAConfigurableTolerance
(on from 1.35) and PodLevelResources (on from 1.34).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .timestamps import SECOND

if TYPE_CHECKING:
    from .autoscaler import Autoscaler


@dataclass(frozen=True)
class Settings:
    """Flags of kube-controller-manager, by their names."""

    tolerance: float = 0.1
    sync_period: int = 15 * SECOND
    downscale_stabilization: int = 300 * SECOND
    cpu_initialization_period: int = 300 * SECOND
    initial_readiness_delay: int = 30 * SECOND
    configurable_tolerance: bool = True


@dataclass(frozen=True)
class Tolerances:
    """How far the ratio of usage to target may be from 1 without anything being done, both bounds included."""

    scale_down: float
    scale_up: float

    def __str__(self) -> str:
        """Return both bounds."""
        return f"{1.0 - self.scale_down:g} to {1.0 + self.scale_up:g}"

    def is_within(self, usage_ratio: float) -> bool:
        """Tell whether a ratio is near enough (Tolerances.isWithin)."""
        return (1.0 - self.scale_down) <= usage_ratio <= (1.0 + self.scale_up)


def tolerances_for_hpa(hpa: Autoscaler, settings: Settings) -> Tolerances:
    """Return the HPA's own tolerances where it has them and they are enabled, else the flag (tolerancesForHpa)."""
    behavior = hpa.behavior
    if behavior is None or not settings.configurable_tolerance:
        return Tolerances(settings.tolerance, settings.tolerance)
    down, up = behavior.scale_down.tolerance, behavior.scale_up.tolerance
    return Tolerances(settings.tolerance if down is None else down, settings.tolerance if up is None else up)
