"""What the gateway knows of itself at one instant; totals count from the start."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LoadedVersion:
    """One version of a model on one model server, in TF Serving's words."""

    model: str
    version: int
    state: str


@dataclass(frozen=True, slots=True)
class BackendReading:
    """One model server.

    Attributes:
        address: `host:port`.
        state: `ready`, `unreachable` a moment ago, or `ejected` after failures in a row.
        outstanding: Calls in flight to it.
        calls: Answered calls, in all.
        versions: What it has loaded, as far as is known.
    """

    address: str
    state: str
    outstanding: int
    calls: int
    versions: tuple[LoadedVersion, ...] = ()


@dataclass(frozen=True, slots=True)
class Peer:
    """A gateway pod's last second, by its own account; without a name where it did not answer.

    Attributes:
        address: Of its ops port.
        pod: Its name.
        rate: Answered requests a second.
        failure_rate: Those a second with a status from 500.
        p99_ms: Duration that 99 % did not exceed; None where nothing was answered.
        pending: Rows queued for or in flight to the model servers.
    """

    address: str
    pod: str = ""
    rate: float = 0.0
    failure_rate: float = 0.0
    p99_ms: float | None = None
    pending: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """The gateway.

    Attributes:
        unix_s: Wall clock, for people.
        monotonic_s: Clock that never jumps, for rates.
        requests: Answered requests, in all.
        failures: Those with a status from 500.
        refused: Those answered 429.
        durations: Requests by duration, as `tidegate_web.tally` counts them.
        inflight: Requests being answered.
        pending: Rows queued for or in flight to the model servers.
        pending_average: The same, mean of the last 15 s.
        retries: Calls repeated on another model server, in all.
        backends: The model servers in use.
        gateways: Addresses of the web tier's ready pods; None where nobody knows them.
        peers: What those pods say; empty while nobody asks.
        routes: Of each model with weights, the share of the clients that each label has.
    """

    unix_s: float
    monotonic_s: float
    requests: int
    failures: int
    refused: int
    durations: Sequence[int]
    inflight: int
    pending: int
    pending_average: float
    retries: int
    backends: tuple[BackendReading, ...]
    gateways: frozenset[str] | None
    peers: tuple[Peer, ...] = ()
    routes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the pending rows are held against.

    Attributes:
        inflight: Predictions worked on at once.
        queue: Predictions that may wait.
        per_backend: Whether the first is for each model server in use.
    """

    inflight: int
    queue: int
    per_backend: bool = False

    def times(self, backends: int) -> int:
        """Return how often it counts with so many model servers; once without any, so that somebody is told why."""
        return max(1, backends) if self.per_backend else 1

    def at_work(self, backends: int) -> int:
        """Return how many are worked on at once with so many model servers."""
        return self.inflight * self.times(backends)


@dataclass(frozen=True, slots=True)
class About:
    """What does not change while the gateway runs.

    Attributes:
        pod: Name of this replica.
        version: Of the gateway.
        limits: Its admission limits.
        backends: The setting that says where the model servers are.
    """

    pod: str
    version: str
    limits: Limits
    backends: str
