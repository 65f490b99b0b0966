"""`arrivals.csv.gz`: requests intended in each second of the run, warm-up included."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tidegate_proof.record.errors import RecordError
from tidegate_proof.record.gzipped import TableWriter, read_table

HEADER = "offset_s,requests"


def write_arrivals(path: Path, counts: Sequence[int]) -> None:
    """Write the arrivals of each second."""
    with closing(TableWriter(path, HEADER)) as file:
        file.write([f"{second},{requests}" for second, requests in enumerate(counts)])


def read_arrivals(path: Path) -> tuple[int, ...]:
    """Read the arrivals of each second.

    Raises:
        RecordError: There is no such file, it is damaged or cut, or a line is not the next second's.
    """
    table = read_table(path, HEADER)
    if table.cut is not None:
        raise RecordError(path, table.cut)
    counts = []
    for second, line in enumerate(table.lines):
        offset, _, requests = line.partition(",")
        if offset != str(second) or not (requests.isdecimal() and str(int(requests)) == requests):
            raise RecordError(path, f"expected {second},REQUESTS, came {line[:80]!r}", second + 2)
        counts.append(int(requests))
    return tuple(counts)
