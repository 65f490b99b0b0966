"""What the model server counts, under TF Serving's own names.

The text is written here: prometheus-client appends `_total` to a counter's name and sorts the labels, and who reads
TF Serving's page by its lines would find neither.
Source: tensorflow_serving/servables/tensorflow/util.cc, tensorflow_serving/util/prometheus_exporter.cc.
"""

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

MICROSECONDS = 1e6

BOUNDS = [10 * 1.8**power for power in range(33)]
"""Upper ends of the buckets in microseconds; the last is some twenty minutes."""

COUNT = ":tensorflow:serving:request_count"
REQUEST_LATENCY = ":tensorflow:serving:request_latency"
RUNTIME_LATENCY = ":tensorflow:serving:runtime_latency"

RUNTIME = "TF1"
"""What TF Serving calls a session of TensorFlow."""

Labels = tuple[tuple[str, str], ...]
"""Name and value of each, in the order of the page."""


@dataclass(slots=True)
class _Latency:
    """How often something took how long."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    micros: float = 0.0

    def add(self, micros: float) -> None:
        self.buckets[bisect_left(BOUNDS, micros)] += 1
        self.micros += micros


class RequestMetrics:
    """Requests by model and status, what they took, and what the graph took of it; for any thread.

    Args:
        known: Whether there is a model of a name: all names that there are not count as one, `unknown`.
    """

    def __init__(self, known: Callable[[str], bool]) -> None:
        self._known = known
        self._lock = threading.Lock()
        self._counts: defaultdict[Labels, int] = defaultdict(int)
        self._latencies: dict[str, defaultdict[Labels, _Latency]] = {
            REQUEST_LATENCY: defaultdict(_Latency),
            RUNTIME_LATENCY: defaultdict(_Latency),
        }

    def observe(self, model: str, method: tuple[str, str], status: str, took_s: float) -> None:
        """Count one request. Only what one that is answered took is noted.

        Args:
            model: As the request named it.
            method: The API, such as `Predict` by gRPC and `predict` by REST, and the way in, `GRPC` or `REST`.
            status: Name of the code that was answered.
            took_s: Seconds.
        """
        name = ("model_name", self._label(model))
        with self._lock:
            self._counts[name, ("status", status)] += 1
            if status == "OK":
                labels = (name, ("API", method[0]), ("entrypoint", method[1]))
                self._latencies[REQUEST_LATENCY][labels].add(took_s * MICROSECONDS)

    def ran(self, model: str, api: str, took_s: float) -> None:
        """Note what the graph took, with the reading of its tensors.

        Args:
            model: Its name.
            api: Such as `Predict`, whichever way the request came in.
            took_s: Seconds.
        """
        labels = (("model_name", self._label(model)), ("API", api), ("runtime", RUNTIME))
        with self._lock:
            self._latencies[RUNTIME_LATENCY][labels].add(took_s * MICROSECONDS)

    def page(self) -> str:
        """Return everything in Prometheus's text format."""
        with self._lock:
            lines = [f"# TYPE {COUNT} counter"]
            lines += [f"{COUNT}{_braced(labels)} {count}" for labels, count in self._counts.items()]
            for name, latencies in self._latencies.items():
                lines.append(f"# TYPE {name} histogram")
                lines += _histogram(name, latencies)
        return "\n".join([*lines, ""])

    def _label(self, model: str) -> str:
        return model if self._known(model) else "unknown"


def _histogram(name: str, latencies: Mapping[Labels, _Latency]) -> Iterator[str]:
    for labels, latency in latencies.items():
        below = 0
        for bound, count in zip([*(f"{bound:g}" for bound in BOUNDS), "+Inf"], latency.buckets, strict=True):
            below += count
            yield f"{name}_bucket{_braced((*labels, ('le', bound)))} {below}"
        yield f"{name}_sum{_braced(labels)} {latency.micros!r}"
        yield f"{name}_count{_braced(labels)} {below}"


def _braced(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
