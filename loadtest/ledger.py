"""What became of the arrivals, second by second: kept on each worker, added up on the master, shown on the page.

Standard library only, so that all of it can be tried without Locust.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, exp, log
from typing import Any

GROWTH = 1.1
"""Latencies are counted in classes that each end a tenth higher than they begin: quantiles are right to 5 %."""

FINEST_MS = 0.1
QUANTILE = 0.99
"""The share of a second's arrivals that must be answered right and in time, else it is a violation."""

COUNTED = ("arrivals", "undispatched", "sent", "answered", "right", "in_time")
BY_NAME = ("latencies", "pods", "backends", "versions")


@dataclass(frozen=True, slots=True)
class Route:
    """Who answered, as the answer's headers say; empty where they do not (TIDEGATE_EXPOSE_ROUTE=1 makes them).

    Attributes:
        pod: The gateway's.
        backend: The model server's address.
        version: Of the model.
    """

    pod: str = ""
    backend: str = ""
    version: str = ""


@dataclass(slots=True)
class Second:
    """What became of a second's arrivals, and who answered in it.

    Attributes:
        arrivals: Due in it.
        undispatched: Of these, never sent: nobody was free.
        sent: Of these, sent.
        answered: Of these, answered in whatever way, or given up.
        right: Of these, with the right answer.
        in_time: Of these, within the SLO's latency.
        lag_ms: The longest that one was sent after it was due.
        latencies: Of these, right answers by class of latency.
        pods: Answers that came in this second, by gateway.
        backends: The same by model server.
        versions: The same by version of the model.
    """

    arrivals: int = 0
    undispatched: int = 0
    sent: int = 0
    answered: int = 0
    right: int = 0
    in_time: int = 0
    lag_ms: float = 0.0
    latencies: Counter[str] = field(default_factory=Counter)
    pods: Counter[str] = field(default_factory=Counter)
    backends: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)

    @property
    def violated(self) -> bool:
        """Whether more of the arrivals are known not to be right and in time than may be."""
        missed = self.undispatched + self.answered - self.in_time
        return missed > (1 - QUANTILE) * self.arrivals

    def plain(self) -> dict[str, Any]:
        """Return it as a message can carry it."""
        return {
            "lag_ms": self.lag_ms,
            **{name: getattr(self, name) for name in COUNTED},
            **{name: dict(getattr(self, name)) for name in BY_NAME},
        }

    def add(self, other: Mapping[str, Any]) -> None:
        """Add what another process counted in the same second, as `plain` gave it."""
        for name in COUNTED:
            setattr(self, name, getattr(self, name) + other[name])
        self.lag_ms = max(self.lag_ms, other["lag_ms"])
        for name in BY_NAME:
            getattr(self, name).update(other[name])

    def latency_ms(self, share: float) -> float | None:
        """Return the latency within which such a share of the arrivals was answered right; None where it never was.

        What was refused, wrong or never sent counts as never answered, so that fast errors make nothing look fast.
        """
        rank, seen = ceil(share * (self.answered + self.undispatched)), 0
        for name, number in sorted(self.latencies.items(), key=lambda item: int(item[0])):
            seen += number
            if seen >= rank:
                return _middle_ms(int(name))
        return None


class Ledger:
    """Accounts of one run.

    Args:
        slo_ms: An answer that takes longer is too late.
    """

    def __init__(self, slo_ms: float) -> None:
        self.slo_ms = slo_ms
        self.seconds: dict[int, Second] = {}

    def _at(self, moment_ns: int) -> Second:
        second = moment_ns // 1_000_000_000
        found = self.seconds.get(second)
        if found is None:
            found = self.seconds[second] = Second()
        return found

    def undispatched(self, due_ns: int) -> None:
        """Count an arrival that nobody was free to send."""
        second = self._at(due_ns)
        second.arrivals += 1
        second.undispatched += 1

    def sent(self, due_ns: int, sent_ns: int) -> None:
        """Count an arrival that is being sent; all times are since the start of the run."""
        second = self._at(due_ns)
        second.arrivals += 1
        second.sent += 1
        second.lag_ms = max(second.lag_ms, (sent_ns - due_ns) / 1e6)

    def answered(self, due_ns: int, answered_ns: int, route: Route, *, right: bool) -> None:
        """Count an answer."""
        latency_ms = (answered_ns - due_ns) / 1e6
        second = self._at(due_ns)
        second.answered += 1
        second.right += right
        second.in_time += right and latency_ms <= self.slo_ms
        if right:
            second.latencies[_class_of(latency_ms)] += 1
        now = self._at(answered_ns)
        for counter, name in ((now.pods, route.pod), (now.backends, route.backend), (now.versions, route.version)):
            if name:
                counter[name] += 1

    def never_due(self, planned: Sequence[int], seconds: int) -> int:
        """Count arrivals that no process has called due: a worker left and took its share along.

        Args:
            planned: Arrivals of the whole run in each second.
            seconds: Of the run, from its start, of which all reports are in.
        """
        came = sum(counted.arrivals for second, counted in self.seconds.items() if second < seconds)
        return max(0, sum(planned[:seconds]) - came)

    def take(self) -> dict[str, dict[str, Any]]:
        """Hand over what was counted since the last time, as a message can carry it."""
        taken = {str(second): counted.plain() for second, counted in self.seconds.items()}
        self.seconds.clear()
        return taken

    def add(self, taken: Mapping[str, Mapping[str, Any]]) -> None:
        """Add what another process handed over."""
        for second, counted in taken.items():
            self.seconds.setdefault(int(second), Second()).add(counted)


@dataclass(frozen=True, slots=True)
class Sighting:
    """The first or the last answer of somebody.

    Attributes:
        second: Of the run.
        kind: gateway, model server or version.
        name: Whose.
        what: first answer, or last answer.
    """

    second: int
    kind: str
    name: str
    what: str


KINDS = {"gateway": "pods", "model server": "backends", "version": "versions"}

GONE_S = 5
"""Somebody who has not answered for so long, while others have, is taken for gone."""


def sightings(seconds: Mapping[int, Second]) -> list[Sighting]:
    """Read scaling and roll-outs off the answers: who begins to answer, and who has ceased to, in order of time."""
    found: list[Sighting] = []
    for kind, attribute in KINDS.items():
        seen: dict[str, tuple[int, int]] = {}
        for second in sorted(seconds):
            for name in getattr(seconds[second], attribute):
                seen[name] = (seen.get(name, (second, second))[0], second)
        latest = max((last for _, last in seen.values()), default=0)
        for name, (first, last) in seen.items():
            found.append(Sighting(first, kind, name, "first answer"))
            if last < latest - GONE_S:
                found.append(Sighting(last, kind, name, "last answer"))
    return sorted(found, key=lambda sighting: (sighting.second, sighting.kind, sighting.name))


def columns(seconds: Mapping[int, Second], length: int) -> dict[str, Any]:
    """Lay the accounts out as the page draws them: a list for each figure, an element for each second from 0."""
    rows = [seconds.get(second, Second()) for second in range(length)]
    return {
        **{name: [getattr(row, name) for row in rows] for name in COUNTED},
        "lag_ms": [round(row.lag_ms, 2) for row in rows],
        "p50_ms": [row.latency_ms(0.5) for row in rows],
        "p99_ms": [row.latency_ms(QUANTILE) for row in rows],
        "violated": [second for second, row in enumerate(rows) if row.violated],
        **{attribute: _by_name([getattr(row, attribute) for row in rows]) for attribute in KINDS.values()},
    }


def _by_name(counters: Sequence[Counter[str]]) -> dict[str, list[int]]:
    names: Iterable[str] = dict.fromkeys(name for counter in counters for name in counter)
    return {name: [counter[name] for counter in counters] for name in names}


def _class_of(latency_ms: float) -> str:
    return str(max(0, int(log(max(latency_ms, FINEST_MS) / FINEST_MS) / log(GROWTH))))


def _middle_ms(number: int) -> float:
    return round(FINEST_MS * exp(log(GROWTH) * (number + 0.5)), 3)
