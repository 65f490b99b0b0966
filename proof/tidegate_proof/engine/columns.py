"""What became of every request, in columns laid out before the first one."""

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ABSENT = -1
"""A time, status, pod, backend or number that there is none of."""

WORDS = ("", "undispatched", "connect", "lost", "timeout", "wrong", "refused", "cancelled")
"""How a request ended; a column holds a word's place in here.

`undispatched`: never sent, for the generator was late or had no connection left. `connect`: no connection came about.
`lost`: the connection ended before the answer did. `timeout`: no whole answer by the deadline. `wrong`: no HTTP,
another's answer, or 200 and not the right answer. `refused`: another status than 200. `cancelled`: under way when the
run was stopped.
"""

MOST_NAMES = 2**15
"""What 16 bits can number."""

ANSWERED, UNDISPATCHED, CONNECT, LOST, TIMEOUT, WRONG, REFUSED, CANCELLED = range(len(WORDS))


class Names:
    """Names of pods or of backends, each with a number."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}

    def number(self, name: bytes) -> int:
        """Return a name's number, the next one for a name not seen before; ABSENT where there are too many."""
        known = self._numbers.get(name)
        if known is None:
            known = len(self._numbers)
            if known == MOST_NAMES:
                return ABSENT
            self._numbers[name] = known
        return known

    def listed(self) -> list[str]:
        """Return the names; a name's place is its number."""
        return [name.decode("latin-1") for name in self._numbers]


@dataclass(frozen=True, slots=True)
class Row:
    """One request; None where there is no such thing."""

    id: str
    intended_ns: int
    sent_ns: int | None
    answered_ns: int | None
    status: int | None
    pod: str | None
    backend: str | None
    seq: int | None
    idle_closes: int
    error: str


class Columns:
    """A row for each arrival, in order of intended time; 42 bytes each, taken at once.

    Every row is true at every moment: one that was not sent says `undispatched`, one that is under way `cancelled`,
    until it ends. Times are in ns since the start of the run.

    Args:
        intended_ns: When requests are to be sent, in order.
        prefix: First part of every id, another one in each run: small letters, digits and hyphens.

    Raises:
        ValueError: The times are not in order, or the prefix has other characters.
    """

    def __init__(self, intended_ns: Sequence[int], prefix: str) -> None:
        count = len(intended_ns)
        self.intended_ns = array("q", intended_ns)
        if count and bool(np.any(np.diff(np.frombuffer(self.intended_ns, np.int64)) < 0)):
            raise ValueError("expected intended times in order")
        if not re.fullmatch("[a-z0-9-]+", prefix):
            raise ValueError(f"expected a prefix of small letters, digits and hyphens, came {prefix!r}")
        self.id_format = prefix.encode() + b"-%09d"
        self.sent_ns = array("q", [ABSENT]) * count
        self.answered_ns = array("q", [ABSENT]) * count
        self.status = array("h", [ABSENT]) * count
        self.pod = array("h", [ABSENT]) * count
        self.backend = array("h", [ABSENT]) * count
        self.seq = array("q", [ABSENT]) * count
        self.idle_closes = array("B", [0]) * count
        self.error = array("B", [UNDISPATCHED]) * count
        self.pods = Names()
        self.backends = Names()

    def __len__(self) -> int:
        return len(self.intended_ns)

    def row(self, index: int) -> Row:
        """Return a request by its place."""
        pod, backend = self.pod[index], self.backend[index]
        return Row(
            id=(self.id_format % index).decode(),
            intended_ns=self.intended_ns[index],
            sent_ns=_present(self.sent_ns[index]),
            answered_ns=_present(self.answered_ns[index]),
            status=_present(self.status[index]),
            pod=None if pod == ABSENT else self.pods.listed()[pod],
            backend=None if backend == ABSENT else self.backends.listed()[backend],
            seq=_present(self.seq[index]),
            idle_closes=self.idle_closes[index],
            error=WORDS[self.error[index]],
        )

    def numbers(self, column: "array[int]") -> NDArray[np.integer]:
        """View a column as numpy's array, without a copy."""
        return np.frombuffer(column, dtype=np.dtype(column.typecode))


def _present(value: int) -> int | None:
    return None if value == ABSENT else value
