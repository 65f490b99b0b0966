"""Writes a whole record: raw data, verdict and manifest."""

from pathlib import Path

from tidegate_proof.record.documents import write_document
from tidegate_proof.record.folder import VERDICT, Record, write_record
from tidegate_proof.record.manifest import seal
from tidegate_proof.verdict.intended import rates_of
from tidegate_proof.verdict.judge import judge


def write_sealed(folder: Path, record: Record) -> Path:
    """Write a record as a run that came to its end leaves it; returns the folder."""
    write_record(folder, record)
    write_document(folder / VERDICT, judge(record, rates_of(record.plan)))
    seal(folder)
    return folder
