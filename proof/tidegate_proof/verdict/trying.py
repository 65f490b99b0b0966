"""Runs the negative controls over a record that passed."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tidegate_proof.record.documents import write_document
from tidegate_proof.record.folder import REQUESTS, VERDICT, Record, read_record, write_record
from tidegate_proof.record.manifest import seal
from tidegate_proof.record.requests import write_requests
from tidegate_proof.verdict.controls import CONTROLS, Control, NotTriedError
from tidegate_proof.verdict.intended import rates_of
from tidegate_proof.verdict.judge import judge
from tidegate_proof.verdict.verify import Outcome, verify


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a control.

    Attributes:
        control: Which one.
        found_out: Whether the falsified record does not pass; None where it could not be tried.
        text: How, or why not.
    """

    control: Control
    found_out: bool | None
    text: str


def try_controls(folder: Path, controls: Sequence[Control] = CONTROLS, traces: Path | None = None) -> Iterator[Tried]:
    """Falsify copies of a record and check them.

    Args:
        folder: Of a record that is verified and passed.
        controls: Which.
        traces: As of `verify`.
    """
    record = read_record(folder)
    for control in controls:
        try:
            falsified = control.falsify(record)
        except NotTriedError as error:
            yield Tried(control, None, f"not tried: {error}")
            continue
        with tempfile.TemporaryDirectory(prefix="tidegate-control-") as scratch:
            copy = Path(scratch) / "record"
            if control.sealed:
                _write_sealed(copy, falsified, traces)
            else:
                shutil.copytree(folder, copy)
                (copy / REQUESTS).unlink()
                write_requests(copy / REQUESTS, falsified.requests)
            found = verify(copy, traces=traces)
        yield Tried(control, found.outcome in {Outcome.FAILED, Outcome.DIFFERS}, found.text)


def _write_sealed(folder: Path, record: Record, traces: Path | None) -> None:
    write_record(folder, record)
    write_document(folder / VERDICT, judge(record, rates_of(record.plan, traces)))
    seal(folder)
