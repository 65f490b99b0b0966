"""What the autoscaler of a run should do, told before the run by `tidegate_hpa`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from tidegate_hpa.errors import InputError
from tidegate_hpa.fleet import Delays
from tidegate_hpa.forecast import forecast
from tidegate_hpa.knee import read
from tidegate_hpa.quantity import parse
from tidegate_proof.live.api import Object
from tidegate_proof.live.objects import changed
from tidegate_proof.record.plan import Forecast, Tier

QUIET_S = 30
"""Before a run nobody asks for anything, which the signals still remember when it begins: they are means of 15 s."""


def foresee(
    tier: Tier, knee: Path, autoscaler: Mapping[str, object], arrivals: Sequence[int], pods: Sequence[Object]
) -> Forecast:
    """Forecast the replicas of a tier; of none, with the reason as the source, where that cannot be done.

    Args:
        tier: That scales.
        knee: knee.json of one of its replicas.
        autoscaler: The HPA's spec.
        arrivals: In each second.
        pods: The tier's, as they are now: they tell what a pod requests, and how long it took to start.
    """
    try:
        start_s = median(map(started_in_s, pods))
        request_m = requested_m(pods[0])
        measured = read(knee, request_m / 1000)  # a plan's request is what a replica uses at its knee
        quiet = [0] * QUIET_S
        delays = Delays(pod_start_s=start_s)
        foreseen = forecast(measured, autoscaler, [*quiet, *arrivals], delays, cpu_request_m=request_m)
    except InputError as error:
        return Forecast(replicas={}, source=f"none: {error}")
    source = f"tidegate-hpa {version('tidegate-hpa')}; a pod is Ready {start_s:g} s after it was made"
    return Forecast(replicas={tier: tuple((max(0, at - QUIET_S), pods) for at, pods in foreseen)}, source=source)


def started_in_s(pod: Object) -> float:
    """Return the seconds from a pod's creation until it was Ready, to the second."""
    made = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    return max(0.0, (datetime.fromisoformat(changed(pod, "Ready")) - made).total_seconds())


def requested_m(pod: Object) -> int:
    """Return the millicores that a pod requests."""
    requests = (container.get("resources", {}).get("requests", {}) for container in pod["spec"]["containers"])
    return sum(parse(of["cpu"]).milli() for of in requests if "cpu" in of)
