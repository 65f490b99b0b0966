"""What became of every request, in columns laid out before the first one."""

import re
from array import array
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tidegate_proof.record.requests import ABSENT, ERRORS, Requests, Row

NONE, UNDISPATCHED, CONNECT, LOST, TIMEOUT, REFUSED, WRONG = range(len(ERRORS))
"""Places in `ERRORS`. `wrong` is also what is no HTTP, and another's answer."""

MOST_NAMES = 2**15
"""What 16 bits can number."""


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

    def listed(self) -> tuple[str, ...]:
        """Return the names; a name's place is its number."""
        return tuple(name.decode("latin-1") for name in self._numbers)


class Columns:
    """A row for each arrival, in order of intended time; 42 bytes each, taken at once.

    Every row is true at every moment: one that was not sent says `undispatched`, and one that is under way has a time
    of sending, and neither an answer nor an error. Times are in ns since the start of the run.

    Args:
        intended_ns: When requests are to be sent, in order.
        prefix: First part of every X-Request-ID, another one in each run: small letters, digits and hyphens.

    Raises:
        ValueError: The times are not in order, or the prefix has other characters.
    """

    def __init__(self, intended_ns: Sequence[int], prefix: str) -> None:
        count = len(intended_ns)
        self.intended_ns = array("q", intended_ns)
        if count and bool(np.any(np.diff(numbers(self.intended_ns)) < 0)):
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

    def requests(self) -> Requests:
        """Return all rows as the record has them."""
        return Requests(
            id=np.arange(len(self), dtype=np.int64),
            intended_ns=numbers(self.intended_ns).astype(np.int64),
            sent_ns=numbers(self.sent_ns).astype(np.int64),
            answered_ns=numbers(self.answered_ns).astype(np.int64),
            status=numbers(self.status).astype(np.int64),
            pod=numbers(self.pod).astype(np.int32),
            backend=numbers(self.backend).astype(np.int32),
            seq=numbers(self.seq).astype(np.int64),
            idle_closes=numbers(self.idle_closes).astype(np.int64),
            error=numbers(self.error).astype(np.int32),
            pods=self.pods.listed(),
            backends=self.backends.listed(),
        )

    def rows(self, start: int, stop: int) -> Iterator[Row]:
        """Give some rows as the record has them; a few microseconds each, in which nothing is sent."""
        pods, backends = (*self.pods.listed(), ""), (*self.backends.listed(), "")
        for index in range(start, stop):
            yield Row(
                index,
                self.intended_ns[index],
                _present(self.sent_ns[index]),
                _present(self.answered_ns[index]),
                _present(self.status[index]),
                pods[self.pod[index]],
                backends[self.backend[index]],
                _present(self.seq[index]),
                self.idle_closes[index],
                ERRORS[self.error[index]],
            )


def numbers(column: "array[int]") -> NDArray[np.integer]:
    """View a column as numpy's array, without a copy."""
    return np.frombuffer(column, dtype=np.dtype(column.typecode))


def _present(value: int) -> int | None:
    return None if value == ABSENT else value
