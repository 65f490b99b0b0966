"""Writes a whole record, raw data, verdict and manifest: an honest one, or what a thorough forger leaves."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tidegate_proof.record.documents import write_document
from tidegate_proof.record.folder import VERDICT, Record, write_record
from tidegate_proof.record.manifest import seal
from tidegate_proof.verdict.intended import rates_of
from tidegate_proof.verdict.judge import judge
from tidegate_proof.verdict.verify import Verified, verify


def write_sealed(folder: Path, record: Record) -> Path:
    """Write a record as a run that came to its end leaves it; returns the folder."""
    write_record(folder, record)
    write_document(folder / VERDICT, judge(record, rates_of(record.plan)))
    seal(folder)
    return folder


def resealed(tmp_path: Path, record: Record) -> Verified:
    """Check what a thorough forger leaves: verdict and manifest made again over other raw data."""
    return verify(write_sealed(tmp_path / "forged", record))


def with_value(column: str, row: int, value: int) -> Callable[[Record], Record]:
    """Return what sets one value of the requests."""

    def forge(run: Record) -> Record:
        values = getattr(run.requests, column).copy()
        values[row] = value
        return replace(run, requests=replace(run.requests, **{column: values}))

    return forge
