"""`requests.csv.gz`: what became of every arrival, as columns, because there may be a million of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
from numpy.typing import NDArray

from tidegate_proof.record.errors import RecordError
from tidegate_proof.record.gzipped import TableWriter, read_table

HEADER = "id,intended_ns,sent_ns,answered_ns,status,pod,backend,seq,idle_closes,error"
COLUMNS = HEADER.split(",")

Error = Literal["", "undispatched", "connect", "lost", "timeout", "refused", "wrong"]
"""Why an arrival was not answered right.

`undispatched`: never sent. `connect`: no connection came about. `lost`: sent, and the connection ended before the whole
answer. `timeout`: sent, and not answered within the plan's timeout. `refused`: answered with another status than 200.
`wrong`: something else came: 200 with another body, another request's answer, or no HTTP, which then is no answer.
"""
ERRORS: tuple[Error, ...] = get_args(Error)

ERRORS_KNOWN = frozenset(ERRORS)

TEXTS = ("pod", "backend", "error")
NEVER_EMPTY = ("id", "intended_ns", "idle_closes")

DIGITS = 18
"""Of the largest number: what 64 bits can hold whatever the digits are."""

ABSENT = -1
"""Stands in integer columns for an empty field."""

CHUNK = 1 << 16
"""Rows converted at once: enough for speed, and few enough to keep their texts small."""

Int = NDArray[np.int64]
Code = NDArray[np.int32]


class Row(NamedTuple):
    """One arrival; None and empty texts where something did not happen.

    Attributes:
        id: Its number, from 0, in order of intended_ns.
        intended_ns: When it was to be sent.
        sent_ns: When it was sent, or a connection was tried for.
        answered_ns: When the whole answer was there.
        status: HTTP status.
        pod: Header Tidegate-Pod.
        backend: Header Tidegate-Backend.
        seq: Header Tidegate-Seq.
        idle_closes: How often it met a connection that the gateway was just closing, and was sent again.
        error: One of `ERRORS`.
    """

    id: int
    intended_ns: int
    sent_ns: int | None = None
    answered_ns: int | None = None
    status: int | None = None
    pod: str = ""
    backend: str = ""
    seq: int | None = None
    idle_closes: int = 0
    error: Error = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """All arrivals of a run by column; see `Row`. Empty integers are `ABSENT`.

    Attributes:
        id: int64.
        intended_ns: int64.
        sent_ns: int64.
        answered_ns: int64.
        status: int64.
        pod: Index into `pods`, or `ABSENT`.
        backend: Index into `backends`, or `ABSENT`.
        seq: int64.
        idle_closes: int64.
        error: Index into `ERRORS`.
        pods: Names, in order of first appearance.
        backends: The same.
        cut: Where the file ends before its end; None where it is whole.
    """

    id: Int
    intended_ns: Int
    sent_ns: Int
    answered_ns: Int
    status: Int
    pod: Code
    backend: Code
    seq: Int
    idle_closes: Int
    error: Code
    pods: tuple[str, ...]
    backends: tuple[str, ...]
    cut: str | None = None

    def __len__(self) -> int:
        return len(self.id)

    @classmethod
    def of(cls, rows: Iterable[Row], cut: str | None = None) -> Self:
        """Put rows into columns."""
        return cls._joined((list(zip(*chunk, strict=True)) for chunk in _chunks(rows)), cut)

    @classmethod
    def _joined(cls, chunks: Iterable[Sequence[Sequence[Any]]], cut: str | None) -> Self:
        """Join the columns of chunks; texts get numbers, in order of first appearance."""
        known: dict[str, dict[str, int]] = {
            "pod": {"": ABSENT},
            "backend": {"": ABSENT},
            "error": {word: place for place, word in enumerate(ERRORS)},
        }
        parts = [
            [
                _codes(column, known[name]) if name in known else _integers(column)
                for name, column in zip(COLUMNS, chunk, strict=True)
            ]
            for chunk in chunks
        ]
        if not parts:
            parts = [[np.zeros(0, np.int32) if name in known else np.zeros(0, np.int64) for name in COLUMNS]]
        named: dict[str, Any] = {
            name: np.concatenate(column) for name, column in zip(COLUMNS, zip(*parts, strict=True), strict=True)
        }
        return cls(**named, pods=tuple(known["pod"])[1:], backends=tuple(known["backend"])[1:], cut=cut)

    def rows(self) -> Iterator[Row]:
        """Give the rows again."""
        pods, backends = (*self.pods, ""), (*self.backends, "")
        columns = [getattr(self, field.name).tolist() for field in fields(self)[: len(COLUMNS)]]
        for id_, intended, sent, answered, status, pod, backend, seq, idle, error in zip(*columns, strict=True):
            yield Row(
                id_,
                intended,
                _present(sent),
                _present(answered),
                _present(status),
                pods[pod],
                backends[backend],
                _present(seq),
                idle,
                ERRORS[error],
            )

    def is_error(self, error: Error) -> NDArray[np.bool_]:
        """Tell the rows that have this error."""
        return np.asarray(self.error == ERRORS.index(error))


class RequestWriter:
    """Writes rows as they are known, in order of `id`; what was flushed can be read after any end.

    Raises:
        OSError: The disk is full, or the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._table = TableWriter(path, HEADER)

    def write(self, rows: Iterable[Row]) -> None:
        """Add rows.

        Raises:
            ValueError: A pod or a backend has a name that would break the file.
        """
        self._table.write(list(map(_line, rows)))

    def flush(self) -> None:
        """Hand everything to the system; once a second, not once a row."""
        self._table.flush()

    def close(self) -> None:
        """End the file."""
        self._table.close()


def write_requests(path: Path, requests: Requests) -> None:
    """Write a whole file."""
    writer = RequestWriter(path)
    try:
        rows = requests.rows()
        while chunk := list(islice(rows, CHUNK)):
            writer.write(chunk)
    finally:
        writer.close()


def read_requests(path: Path) -> Requests:
    """Read a file.

    Returns:
        With `cut` set where the writer was cut off: a half line is left out.

    Raises:
        RecordError: There is no such file, it is damaged, or a whole line is no row.
    """
    table = read_table(path, HEADER)

    def chunks() -> Iterator[Sequence[Sequence[Any]]]:
        for start in range(0, len(table.lines), CHUNK):
            try:
                yield _parsed(table.lines[start : start + CHUNK])
            except ValueError:
                raise _first_bad(path, table.lines, start) from None

    return Requests._joined(chunks(), table.cut)  # noqa: SLF001 its own module's other way in


def _line(row: Row) -> str:
    if not _plain(row.pod) or not _plain(row.backend):
        raise ValueError(f"expected plain ASCII names of pod and backend, came {row.pod!r}, {row.backend!r}")
    return ",".join(["" if field is None else str(field) for field in row])


def _plain(name: str) -> bool:
    return not name or (name.isascii() and name.isprintable() and "," not in name)


def _parsed(lines: Sequence[str]) -> list[Sequence[Any]]:
    """Turn lines into columns, all at once: a row at a time takes three times as long.

    Raises:
        ValueError: Some line is no row.
    """
    fields = ",".join(lines).split(",")
    if any(line.count(",") != len(COLUMNS) - 1 for line in lines):
        raise ValueError(f"expected {len(COLUMNS)} fields, came {len(fields) / len(lines):g}")
    return [_column(name, fields[place :: len(COLUMNS)]) for place, name in enumerate(COLUMNS)]


def _column(name: str, texts: Sequence[str]) -> Sequence[Any]:
    if name in TEXTS:
        if name == "error" and not ERRORS_KNOWN.issuperset(texts):
            raise ValueError(f"expected an error among {', '.join(filter(None, ERRORS))}")
        return texts
    digits = "".join(texts)
    if (digits and not digits.isdecimal()) or (name in NEVER_EMPTY and "" in texts):
        raise ValueError(f"expected whole numbers as {name}")
    if max(map(len, texts)) > DIGITS:
        raise ValueError(f"expected numbers of {DIGITS} digits at most as {name}")
    return [int(text) if text else ABSENT for text in texts]


def _first_bad(path: Path, lines: Sequence[str], start: int) -> RecordError:
    for number, line in enumerate(lines[start:], start + 2):
        try:
            _parsed([line])
        except ValueError as error:
            return RecordError(path, f"{error}, came {line[:120]!r}", number)
    raise AssertionError("some line of the chunk was bad")


def _chunks(rows: Iterable[Row]) -> Iterator[Sequence[Row]]:
    source = iter(rows)
    while chunk := list(islice(source, CHUNK)):
        yield chunk


def _present(value: int) -> int | None:
    return None if value == ABSENT else value


def _integers(column: Sequence[int | None]) -> Int:
    if None not in column:
        return np.array(column, np.int64)
    return np.array([ABSENT if value is None else value for value in column], np.int64)


def _codes(column: Sequence[str], known: dict[str, int]) -> Code:
    for name in dict.fromkeys(column):
        known.setdefault(name, len(known) - 1)
    return np.array([known[name] for name in column], np.int32)
