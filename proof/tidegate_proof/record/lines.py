"""JSON lines that are written as things happen and can be read after a writer was cut off."""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from tidegate_proof.record.documents import parse, read_bytes, text_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lines(Generic[T]):
    """What was read.

    Attributes:
        items: In the order of the file.
        cut: Where the file ends before its end; None where it is whole.
    """

    items: tuple[T, ...]
    cut: str | None = None


class LineWriter(Generic[T]):
    """Appends dataclasses to a file, one a line, each handed to the system at once.

    Raises:
        OSError: The disk is full, or the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb", buffering=0)

    def write(self, item: T) -> None:
        """Add a line."""
        self._file.write(text_of(item) + b"\n")

    def close(self) -> None:
        """End the file."""
        self._file.close()


def read_lines(path: Path, kind: type[T]) -> Lines[T]:
    """Read a file of JSON lines.

    Args:
        path: Of the file.
        kind: What each line is.

    Returns:
        With `cut` set where the last line has no end: that half is left out.

    Raises:
        RecordError: There is no such file, or a whole line is not what `kind` says.
    """
    *whole, rest = read_bytes(path).split(b"\n")
    items = tuple(parse(text, kind, path, number) for number, text in enumerate(whole, 1))
    return Lines(items, f"{path.name} ends within line {len(whole) + 1}" if rest else None)
