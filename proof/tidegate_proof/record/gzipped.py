"""CSV files in gzip that can be read after a writer was cut off."""

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

from tidegate_proof.record.documents import read_bytes
from tidegate_proof.record.errors import RecordError

GZIP = 16 + zlib.MAX_WBITS
LEVEL = 6


@dataclass(frozen=True, slots=True)
class Table:
    """The text of a CSV file without its header.

    Attributes:
        lines: Whole ones.
        cut: Where the file ends before its end; None where it is whole.
    """

    lines: Sequence[str]
    cut: str | None


class TableWriter:
    """Writes a gzipped CSV file of which everything up to the last `flush` can be read, whatever happens.

    Bytes depend on the rows and the flushes alone: no name and no time stands in the gzip header.

    Raises:
        OSError: The disk is full, or the file cannot be made.
    """

    def __init__(self, path: Path, header: str) -> None:
        self._raw = path.open("xb")
        self._gzip = gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=self._raw, mtime=0)
        self._text = TextIOWrapper(self._gzip, encoding="ascii", newline="")
        self._text.write(header + "\n")

    def write(self, lines: Sequence[str]) -> None:
        """Add lines, given without their ends."""
        self._text.writelines(f"{line}\n" for line in lines)

    def flush(self) -> None:
        """Hand everything to the system, so that a reader can have it; once a second, not once a row."""
        self._text.flush()
        self._raw.flush()

    def close(self) -> None:
        """End the file."""
        try:
            self._text.close()
        finally:
            self._raw.close()


def read_table(path: Path, header: str) -> Table:
    """Read a gzipped CSV file.

    Raises:
        RecordError: There is no such file, it is no gzip, it is damaged, or its header is another one.
    """
    packed = read_bytes(path)
    reader = zlib.decompressobj(GZIP)
    try:
        text = (reader.decompress(packed) + reader.flush()).decode("ascii")
    except (zlib.error, UnicodeDecodeError) as error:
        raise RecordError(path, f"expected gzipped ASCII: {error}") from None
    if reader.unused_data:
        raise RecordError(path, f"{len(reader.unused_data)} bytes behind the end of the gzip stream")
    first, *lines = text.split("\n")
    if first != header and (reader.eof or not header.startswith(first)):
        raise RecordError(path, f"expected {header!r}, came {first[:80]!r}", 1)
    rest = lines.pop() if lines else ""
    if reader.eof and (rest or not text):
        raise RecordError(path, "the last line has no end", len(lines) + 2)
    return Table(lines, None if reader.eof else f"{path.name} ends after line {len(lines) + 1}")
