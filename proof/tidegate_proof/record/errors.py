"""What is wrong with a file of a record."""

from pathlib import Path


class RecordError(Exception):
    """A file that is not what it should be: its text names file, line, what was expected and what came.

    Attributes:
        path: Of the file.
        line: Counted from 1; None where it is about the file as a whole.
    """

    def __init__(self, path: Path, problem: str, line: int | None = None) -> None:
        super().__init__(f"{path.name}{'' if line is None else f', line {line}'}: {problem}")
        self.path = path
        self.line = line
