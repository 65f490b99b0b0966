"""What the model server counts, under TF Serving's own names.

prometheus-client's counters append `_total` to names, so the samples come from a collector.
Source: tensorflow_serving/servables/tensorflow/util.cc.
"""

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

MICROSECONDS = 1e6

BOUNDS = [10 * 1.8**power for power in range(33)]
"""Upper ends of the buckets in microseconds; the last is some twenty minutes."""


@dataclass(slots=True)
class _Latency:
    """How often something took how long."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    micros: float = 0.0

    def add(self, micros: float) -> None:
        self.buckets[bisect_left(BOUNDS, micros)] += 1
        self.micros += micros


class RequestMetrics(Collector):
    """Predictions by model and status, and what they took.

    Args:
        known: Whether there is a model of a name: all names that there are not count as one, `unknown`.
    """

    def __init__(self, known: Callable[[str], bool]) -> None:
        self._known = known
        self._lock = threading.Lock()
        self._counts: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._took: defaultdict[tuple[str, str, str], _Latency] = defaultdict(_Latency)

    def observe(self, model: str, method: tuple[str, str], status: str, took_s: float) -> None:
        """Count one request.

        Args:
            model: As the request named it.
            method: The API, such as `Predict`, and the way in, `GRPC` or `REST`.
            status: Name of the code that was answered.
            took_s: Seconds.
        """
        label = model if self._known(model) else "unknown"
        with self._lock:
            self._counts[label, status] += 1
            self._took[label, *method].add(took_s * MICROSECONDS)

    def collect(self) -> Iterator[Metric]:
        """Give the samples."""
        requests = Metric(":tensorflow:serving:request_count", "The total number of requests.", "unknown")
        latency = Metric(
            ":tensorflow:serving:request_latency",
            "Distribution of wall time (in microseconds) for Tensorflow Serving request.",
            "histogram",
        )
        with self._lock:
            for (model, status), count in self._counts.items():
                requests.add_sample(requests.name, {"model_name": model, "status": status}, count)
            for (model, api, entrypoint), took in self._took.items():
                _add(latency, {"model_name": model, "API": api, "entrypoint": entrypoint}, took)
        yield requests
        yield latency

    def registry(self) -> CollectorRegistry:
        """Return a registry with these samples alone."""
        registry = CollectorRegistry()
        registry.register(self)
        return registry


def _add(metric: Metric, labels: dict[str, str], took: _Latency) -> None:
    below = 0
    for bound, count in zip([*(f"{bound:g}" for bound in BOUNDS), "+Inf"], took.buckets, strict=True):
        below += count
        metric.add_sample(f"{metric.name}_bucket", labels | {"le": bound}, below)
    metric.add_sample(f"{metric.name}_sum", labels, took.micros)
    metric.add_sample(f"{metric.name}_count", labels, below)
