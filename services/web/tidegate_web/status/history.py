"""Readings turned into a bounded history: a sample for each interval, and what joined or left."""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from operator import sub

from tidegate_web.status.reading import LoadedVersion, Peer, Reading
from tidegate_web.tally import quantile_s

SAMPLES = 600
"""Ten minutes of one sample a second."""

EVENTS = 60
AVAILABLE = "AVAILABLE"


@dataclass(frozen=True, slots=True)
class Sample:
    """One interval, and the state at its end.

    Attributes:
        unix_s: Its end.
        rate: Answered requests a second.
        failure_rate: Those a second with a status from 500.
        refused_rate: Those a second answered 429.
        retry_rate: Calls repeated on another model server, a second.
        p50_ms: Median duration; None where nothing was answered.
        p99_ms: Duration that 99 % did not exceed.
        inflight: Requests being answered.
        pending: Rows queued for or in flight to the model servers.
        pending_average: The same, mean of the last 15 s.
        serving: Model servers in use.
        web: Ready pods of the web tier; None where nobody knows.
        all_rate: Answered requests a second of all gateways; None while nobody asks them.
        all_pending: Their pending rows.
    """

    unix_s: float
    rate: float
    failure_rate: float
    refused_rate: float
    retry_rate: float
    p50_ms: float | None
    p99_ms: float | None
    inflight: int
    pending: int
    pending_average: float
    serving: int
    web: int | None
    all_rate: float | None
    all_pending: int | None


@dataclass(frozen=True, slots=True)
class BackendSample:
    """A model server's last interval: BackendReading with calls a second."""

    address: str
    state: str
    outstanding: int
    rate: float
    versions: tuple[LoadedVersion, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """A change that explains a picture.

    Attributes:
        unix_s: When it was seen.
        tier: `serving`, `web` or `model`.
        kind: `joined` or `left`; of a model's version whether the first server has it or the last had it.
        name: Address, or model and version.
    """

    unix_s: float
    tier: str
    kind: str
    name: str


class History:
    """The last ten minutes."""

    def __init__(self) -> None:
        self.samples: deque[Sample] = deque(maxlen=SAMPLES)
        self.events: deque[Event] = deque(maxlen=EVENTS)
        self.backends: tuple[BackendSample, ...] = ()
        self.gateways: frozenset[str] | None = None
        self.peers: tuple[Peer, ...] = ()
        self._last: Reading | None = None

    def take(self, reading: Reading) -> Sample:
        """Add what happened since the last reading; the first one gives the state alone, its rates are 0."""
        last = self._last or reading
        self._last = reading
        seconds = reading.monotonic_s - last.monotonic_s

        def rate(now: int, before: int) -> float:
            return (now - before) / seconds if seconds > 0 else 0.0

        durations = list(map(sub, reading.durations, last.durations))
        sample = Sample(
            unix_s=reading.unix_s,
            rate=rate(reading.requests, last.requests),
            failure_rate=rate(reading.failures, last.failures),
            refused_rate=rate(reading.refused, last.refused),
            retry_rate=rate(reading.retries, last.retries),
            p50_ms=_ms(quantile_s(durations, 0.5)),
            p99_ms=_ms(quantile_s(durations, 0.99)),
            inflight=reading.inflight,
            pending=reading.pending,
            pending_average=reading.pending_average,
            serving=len(reading.backends),
            web=None if reading.gateways is None else len(reading.gateways),
            all_rate=sum(peer.rate for peer in reading.peers) if reading.peers else None,
            all_pending=sum(peer.pending for peer in reading.peers) if reading.peers else None,
        )
        calls = {backend.address: backend.calls for backend in last.backends}
        self.backends = tuple(
            BackendSample(
                backend.address,
                backend.state,
                backend.outstanding,
                # One that left and came back counts from 0 again
                max(0.0, rate(backend.calls, calls.get(backend.address, 0))),
                backend.versions,
            )
            for backend in sorted(reading.backends, key=lambda backend: backend.address)
        )
        self.gateways = reading.gateways
        self.peers = reading.peers
        self._note_changes(last, reading)
        self.samples.append(sample)
        return sample

    def _note_changes(self, last: Reading, now: Reading) -> None:
        self._note(now.unix_s, "serving", _addresses(last), _addresses(now))
        if last.gateways is not None and now.gateways is not None:
            self._note(now.unix_s, "web", last.gateways, now.gateways)
        if last.backends and now.backends:
            self._note(now.unix_s, "model", _available(last), _available(now))

    def _note(self, unix_s: float, tier: str, before: Collection[str], after: Collection[str]) -> None:
        for kind, names in (("joined", set(after) - set(before)), ("left", set(before) - set(after))):
            self.events.extend(Event(unix_s, tier, kind, name) for name in sorted(names))


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1e3 * seconds


def _addresses(reading: Reading) -> set[str]:
    return {backend.address for backend in reading.backends}


def _available(reading: Reading) -> set[str]:
    """Models and versions that at least one server answers from."""
    return {
        f"{one.model} version {one.version}"
        for backend in reading.backends
        for one in backend.versions
        if one.state == AVAILABLE
    }
