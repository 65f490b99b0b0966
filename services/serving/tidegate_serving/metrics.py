"""What the model server counts, under TF Serving's own names.

prometheus-client's counters append `_total` to names, so the samples come from a collector.
"""

import threading
from collections import defaultdict
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

MICROSECONDS = 1e6


class RequestMetrics(Collector):
    """Predictions by model and status, and what they took. The label is bounded: unknown models count as one."""

    def __init__(self, models: frozenset[str]) -> None:
        self._models = models
        self._lock = threading.Lock()
        self._counts: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._took: defaultdict[tuple[str, str], tuple[int, float]] = defaultdict(lambda: (0, 0.0))

    def observe(self, model: str, api: str, status: str, took_s: float) -> None:
        """Count one request to an API, such as `Predict`."""
        label = model if model in self._models else "unknown"
        with self._lock:
            self._counts[label, status] += 1
            count, micros = self._took[label, api]
            self._took[label, api] = (count + 1, micros + took_s * MICROSECONDS)

    def collect(self) -> Iterator[Metric]:
        """Give the samples."""
        with self._lock:
            counts, took = dict(self._counts), dict(self._took)
        requests = Metric(":tensorflow:serving:request_count", "Predictions answered", "unknown")
        for (model, status), count in counts.items():
            requests.add_sample(requests.name, {"model_name": model, "status": status}, count)
        yield requests
        latency = Metric(":tensorflow:serving:request_latency", "Microseconds that predictions took", "unknown")
        for (model, api), (count, micros) in took.items():
            labels = {"model_name": model, "API": api}
            latency.add_sample(f"{latency.name}_sum", labels, micros)
            latency.add_sample(f"{latency.name}_count", labels, count)
        yield latency

    def registry(self) -> CollectorRegistry:
        """Return a registry with these samples alone."""
        registry = CollectorRegistry()
        registry.register(self)
        return registry
