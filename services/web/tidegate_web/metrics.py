"""What the gateway counts, for Prometheus. One registry per application; every metric says why it is there."""

import time
from collections.abc import Callable, Iterator
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.samples import Sample

from tidegate_web.distribution import Distribution
from tidegate_web.tally import Tally
from tidegate_web.time_average import TimeAverage

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of duration histograms: a prediction takes a millisecond, the default time-out is ten seconds."""

ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Bounds of the batch histogram."""


class Metrics:
    """The gateway's metrics.

    Args:
        clock: Monotonic seconds, for the time averages.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.registry = CollectorRegistry()
        self.tally = Tally()

        def named(name: str) -> str:
            return f"tidegate_{name}"

        self.requests = Counter(
            named("requests"), "Answered requests", ["route", "method", "status"], registry=self.registry
        )
        self.duration = Histogram(
            named("request_duration_seconds"), "From the request's head to the answer's end", ["route"],
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.inflight = TimeAverage(clock)
        self.pending = TimeAverage(clock)
        for name, average, what in (
            ("inflight_requests", self.inflight, "Requests being answered"),
            ("serving_pending_predictions", self.pending, "Rows queued for or in flight to the model servers"),
        ):
            Gauge(named(name), what, registry=self.registry).set_function(average.value)
            Gauge(named(f"{name}_average"), f"{what}, mean of the last 15 s", registry=self.registry).set_function(
                average.average
            )
        self.queue_wait = Distribution(named("queue_wait_seconds"), "Time a prediction waited for its turn", SECONDS)
        self.registry.register(self.queue_wait)
        self.batch_rows = Histogram(
            named("batch_rows"), "Rows of a call to a model server", buckets=ROWS, registry=self.registry
        )
        self.shed = Counter(
            named("shed"), "Requests and connections refused, by reason", ["reason"], registry=self.registry
        )
        self.retries = Counter(named("retries"), "Calls repeated on another backend", registry=self.registry)
        self._backend_requests = Counter(
            named("backend_requests"),
            "Calls to a model server by gRPC code",
            ["backend", "code"],
            registry=self.registry,
        )
        self._backend_outstanding = Gauge(
            named("backend_outstanding"), "Calls in flight to a model server", ["backend"], registry=self.registry
        )
        self._backends: dict[str, BackendMetrics] = {}
        build = Gauge(named("build_info"), "1, labelled with the version", ["version"], registry=self.registry)
        build.labels(version("tidegate-web")).set(1)

    def of_backend(self, address: str) -> "BackendMetrics":
        """Return what is counted of one model server; of one that comes back before it has quite gone, the same."""
        known = self._backends.get(address)
        if known is None:
            known = self._backends[address] = BackendMetrics(
                address, self._backend_requests, self._backend_outstanding, self._backends
            )
        known.users += 1
        return known

    def retried(self) -> int:
        """Return the calls repeated so far."""
        return sum(int(sample.value) for sample in _totals(self.retries))

    def backend_calls(self) -> dict[str, int]:
        """Return the calls answered so far, by backend."""
        calls: dict[str, int] = {}
        for sample in _totals(self._backend_requests):
            address = sample.labels["backend"]
            calls[address] = calls.get(address, 0) + int(sample.value)
        return calls

    def render(self, accept: str) -> tuple[bytes, str]:
        """Write all of them in the text format that an Accept header prefers; gives the content type too."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


class BackendMetrics:
    """What is counted of one model server; removed when it goes, so that labels stay few.

    Args:
        address: The label.
        requests: Calls by backend and code.
        outstanding: Calls in flight by backend.
        siblings: All of them by address, from which it takes itself out.

    Attributes:
        users: Backends of this address; without any, nothing is counted any more.
    """

    def __init__(
        self, address: str, requests: Counter, outstanding: Gauge, siblings: "dict[str, BackendMetrics]"
    ) -> None:
        self._address = address
        self._requests = requests
        self._outstanding = outstanding
        self._codes: set[str] = set()
        self._siblings = siblings
        self.users = 0
        outstanding.labels(address)  # a series from the start: a gateway that idles knows its model servers too

    def answered(self, code: str) -> None:
        """Count an answer of the given gRPC code; one that comes after the backend went counts no more."""
        if self.users:
            self._codes.add(code)
            self._requests.labels(self._address, code).inc()

    def outstanding(self, calls: int) -> None:
        """Tell how many calls are in flight."""
        if self.users:
            self._outstanding.labels(self._address).set(calls)

    def remove(self) -> None:
        """Take this backend's series away, with the last one of its address."""
        self.users -= 1
        if self.users:
            return
        del self._siblings[self._address]
        for code in self._codes:
            self._requests.remove(self._address, code)
        self._codes.clear()
        self._outstanding.remove_by_labels({"backend": self._address})


def _totals(counter: Counter) -> Iterator[Sample]:
    """Read a counter back; the library has no shorter public way."""
    return (sample for metric in counter.collect() for sample in metric.samples if sample.name.endswith("_total"))
