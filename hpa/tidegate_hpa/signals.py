"""What the metrics show of a load: averages over a window, some of them late."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from .errors import InputError, MetricError
from .proposal import Proposal, Sample, calc_replicas, get_usage_ratio_replica_count, per_pod
from .usage import Tally, Utilization, get_metric_usage_ratio, get_resource_utilization_ratio

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .autoscaler import MetricSpec
    from .capacity import Capacity
    from .fleet import Delays, Fleet
    from .settings import Tolerances

# What a metric of the HPA shows: requests in flight (worked on and waiting), or requests per second
Signal = Literal["pending", "rate"]


@dataclass
class Series:
    """A figure per second, of which any span's average is at hand."""

    sums: list[float] = field(default_factory=lambda: [0.0])

    def append(self, value: float) -> None:
        """Add the next second's figure."""
        self.sums.append(self.sums[-1] + value)

    def average(self, until: float, span: float) -> float:
        """Return the average over `span` seconds before second `until`, as far as there are any."""
        end = min(max(1, int(until)), len(self.sums) - 1)
        start = max(0, end - max(1, round(span)))
        return (self.sums[end] - self.sums[start]) / (end - start) if end > start else 0.0


@dataclass(frozen=True)
class _Scrape:
    """What metrics-server knows: per pod on average, of the pods that were there for the whole window."""

    millicores: int = 0
    pods: int = 0


class Signals:
    """The figures that the controller reads, as they come about.

    Args:
        capacity: requests and idle usage.
        delays: windows and ages.
        names: what a Pods, Object or External metric shows, by its name; pending if it is not said.
        phase: second of the first CPU figure.
    """

    def __init__(self, capacity: Capacity, delays: Delays, names: Mapping[str, Signal], phase: float) -> None:
        self._capacity = capacity
        self._delays = delays
        self._names = names
        self._next_scrape = phase
        self._scrape = _Scrape()
        self._cpu, self._serving = Series(), Series()
        self._series: dict[Signal, Series] = {"pending": Series(), "rate": Series()}

    def record(self, fleet: Fleet, served: float, pending: float, offered: float, now: int) -> None:
        """Take note of one second, and scrape when it is time."""
        self._cpu.append(self._capacity.cores(fleet.serving, served))
        self._serving.append(fleet.serving)
        self._series["pending"].append(pending)
        self._series["rate"].append(offered)
        if now >= self._next_scrape:
            window = self._delays.metric_window_s
            self._next_scrape += window
            serving = self._serving.average(now + 1, window)
            busy = 1000 * self._cpu.average(now + 1, window) / serving if serving else 0.0
            self._scrape = _Scrape(round(busy) + self._capacity.idle_cpu_m, fleet.ready_since(now - window))

    def propose(
        self, spec: MetricSpec, current_replicas: int, fleet: Fleet, now: float, tolerances: Tolerances
    ) -> Proposal:
        """Return what one metric of the HPA asks for.

        Raises:
            MetricError: there is no figure yet.
            InputError: nothing is known of what the metric shows.
        """
        target = spec.target
        if spec.type in {"Resource", "ContainerResource"}:
            if spec.name != "cpu":
                raise InputError(f"metric {spec.name}: expected cpu, of other resources the model knows nothing")
            return self._cpu_proposal(spec, current_replicas, fleet, tolerances)
        series = self._series[self._names.get(spec.name, "pending")]
        average = series.average(now - self._delays.metric_age_s, self._delays.metric_window_s)
        usage = round(1000 * average)
        if spec.type == "Pods":
            figures = Tally(usage, 0, fleet.ready, fleet.ready)
            if not fleet.ready or target.average_value is None:
                raise MetricError("no pod is ready")
            ratio_of = partial(get_metric_usage_ratio, target_usage=target.average_value)
            sample = Sample(fleet.ready, figures, unready=Tally(0, 0, fleet.starting, fleet.starting))
            return calc_replicas(current_replicas, sample, ratio_of, tolerances)
        if target.average_value is not None:
            return per_pod(fleet.replicas, usage, target.average_value, tolerances, usage)
        if target.value is None:
            raise InputError(f"metric {spec.name}: expected a target value or averageValue, found neither")
        ratio = usage / target.value
        replicas = get_usage_ratio_replica_count(current_replicas, ratio, lambda: fleet.ready, tolerances)
        return Proposal(replicas, Utilization(ratio, 0, usage))

    def _cpu_proposal(self, spec: MetricSpec, current_replicas: int, fleet: Fleet, tolerances: Tolerances) -> Proposal:
        """Pods that start are unready to the controller, those without a whole window's figure are missing."""
        known = min(self._scrape.pods, fleet.ready)
        if not known:
            raise MetricError("no figure yet")
        request, target, missing = self._capacity.cpu_request_m, spec.target, fleet.ready - known
        utilization = target.utilization or 0
        sample = Sample(
            ready_count=known,
            measured=Tally(self._scrape.millicores * known, request * known, known, known),
            missing=Tally(0, request * missing, missing, missing),
            missing_usage=missing
            * (request * max(100, utilization) // 100 if target.average_value is None else target.average_value),
            unready=Tally(0, request * fleet.starting, fleet.starting, fleet.starting),
        )
        if target.average_value is not None:
            ratio_of = partial(get_metric_usage_ratio, target_usage=target.average_value)
        else:
            ratio_of = partial(get_resource_utilization_ratio, target_utilization=utilization)
        return calc_replicas(current_replicas, sample, ratio_of, tolerances)
