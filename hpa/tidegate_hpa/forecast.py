"""What an HPA will do under a planned load, from the knee of one replica: for a proof to hold against what came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import autoscaler
from .errors import InputError
from .knee import fitted
from .node import Node
from .simulation import simulate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .fleet import Delays
    from .knee import Knee

_STANDARD_REQUEST_M = 100


def forecast(  # noqa: PLR0913 - the last two have defaults
    knee: Knee,
    spec: Mapping[str, object],
    arrivals: Sequence[float],
    delays: Delays,
    *,
    cpu_request_m: int = _STANDARD_REQUEST_M,
    seed: int = 0,
) -> list[tuple[float, int]]:
    """Return from which second on how many replicas are wanted.

    Args:
        knee: of one replica, as `knee.read` gives it.
        spec: the HPA's `spec`, as applied. Its Pods, Object and External metrics are taken to show requests pending.
        arrivals: requests in each second.
        delays: measured, or the usual ones.
        cpu_request_m: millicores that a pod requests.
        seed: of start times and phases.

    Raises:
        InputError: the spec is none, or it scales on CPU alone and nobody measured the replica's.
    """
    scaler = autoscaler.from_object(Node({"metadata": {"name": "forecast"}, "spec": dict(spec)}, "hpa"), "default")
    capacity = fitted(knee, cpu_request_m)
    if capacity.cpu_s == 0 and all(metric.type == "Resource" for metric in scaler.metrics):
        raise InputError(
            "expected the cores that the replica used (cores_used in knee.json), found none: no CPU forecast"
        )
    return simulate(arrivals, capacity, delays, scaler, seed=seed).forecast()
