"""Computes a record again, offline, and finds the first thing that differs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from arrivals import ArrivalError
from tidegate_proof.record.documents import plain, read_bytes, read_document, text_of
from tidegate_proof.record.errors import RecordError
from tidegate_proof.record.folder import (
    CLUSTER,
    GATEWAY,
    GENERATOR,
    JUNIT,
    PLAN,
    REPORT,
    SUMMARY,
    VERDICT,
    Record,
    read_record,
)
from tidegate_proof.record.knee import KNEE, KneeRecord
from tidegate_proof.record.manifest import MANIFEST, PARTIAL, Manifest, Partial, digest, files_of
from tidegate_proof.record.plan import Plan
from tidegate_proof.record.verdict import Verdict
from tidegate_proof.verdict.consistency import contradictions
from tidegate_proof.verdict.differences import Difference, differences
from tidegate_proof.verdict.intended import counts_of, intended_of, rates_of
from tidegate_proof.verdict.judge import judge
from tidegate_proof.verdict.knees import search_again
from tidegate_proof.verdict.told_by_cluster import contradicted_by_cluster
from tidegate_proof.verdict.told_by_gateways import contradicted_by_gateways
from tidegate_proof.verdict.told_by_generator import contradicted_by_generator

Renderer = Callable[[Path], Mapping[str, bytes]]
"""From a folder to the files for people, by name; the same bytes for the same folder."""

DRAWN = (REPORT, SUMMARY, JUNIT)


class Outcome(IntEnum):
    """What came of a check; the exit code."""

    PASSED = 0
    FAILED = 1
    DIFFERS = 2
    PARTIAL = 3
    UNUSABLE = 4


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of checking a folder.

    Attributes:
        outcome: In a word.
        text: In a line, for people: the first thing that differs, what is missing, or the verdict.
        verdict: As recomputed; None where it could not be.
    """

    outcome: Outcome
    text: str
    verdict: Verdict | None = None


def verify(folder: Path, render: Renderer | None = None, traces: Path | None = None) -> Verified:
    """Check a run's record.

    Args:
        folder: Of the record.
        render: Draws report, summary and JUnit XML again; without it their hashes alone are checked.
        traces: Folder of the trace that the plan names, if it is not where scenarios keep theirs.
    """
    try:
        edited = check_manifest(folder)
        if edited is not None:
            return Verified(Outcome.DIFFERS, str(edited))
        record = read_record(folder)
        rates = rates_of(record.plan, traces)
        impossible = next(_impossible(folder, record, rates), None)
        if impossible is not None:
            return Verified(Outcome.DIFFERS, str(impossible))
        verdict = judge(record, rates)
        found = next(_misjudged(folder, verdict), None) or check_redrawn(folder, render)
    except RecordError as error:
        return Verified(Outcome.UNUSABLE, str(error))
    except ArrivalError as error:
        return Verified(Outcome.UNUSABLE, f"{PLAN}: its arrivals cannot be made again: {error}")
    if found is not None:
        return Verified(Outcome.DIFFERS, str(found), verdict)
    return _outcome(record.partial or _unsealed(folder), verdict)


def _outcome(partial: str | None, verdict: Verdict) -> Verified:
    if partial is not None:
        return Verified(Outcome.PARTIAL, f"partial: {partial}", verdict)
    if verdict.passed:
        return Verified(Outcome.PASSED, "verified, passed", verdict)
    return Verified(Outcome.FAILED, f"verified, {why_not(verdict)}", verdict)


def _unsealed(folder: Path) -> str | None:
    return None if (folder / MANIFEST).exists() else f"no {MANIFEST}: the run did not come to its end"


def why_not(verdict: Verdict) -> str:
    """Say why a verdict does not pass."""
    if not verdict.valid:
        names = ", ".join(f"{check.name} {check.value}" for check in verdict.validity if not check.passed)
        return f"not valid: {names}"
    failed = ", ".join(f"{judged.name} ({judged.value})" for judged in verdict.thresholds if not judged.passed)
    return f"failed: {failed or 'the plan has no thresholds'}"


def check_manifest(folder: Path) -> Difference | None:
    """Hold a folder's files against its manifest, where there is one; returns the first that differs.

    Raises:
        RecordError: There is no such folder, or its manifest is none.
    """
    return next(_edited(folder), None)


def check_redrawn(folder: Path, render: Renderer | None) -> Difference | None:
    """Draw the folder's report, summary and JUnit XML again; returns the first that differs."""
    there = [name for name in DRAWN if (folder / name).exists()]
    drawn = render(folder) if render is not None and there else {}
    for name in there:
        if name in drawn and read_bytes(folder / name) != drawn[name]:
            return Difference(name, "the file", "another one", "what this version draws from the record")
    return None


def _edited(folder: Path) -> Iterator[Difference]:
    if not folder.is_dir():
        raise RecordError(folder, "expected a folder with a run's record")
    if not (folder / MANIFEST).exists():
        return
    listed = read_document(folder / MANIFEST, Manifest).files
    there = files_of(folder)
    for name in sorted({*listed, *there}):
        if name not in there:
            yield Difference(MANIFEST, name, listed[name], "no such file")
        elif name not in listed:
            yield Difference(MANIFEST, name, "nothing", "a file that the manifest does not list")
        elif (recomputed := digest(folder / name)) != listed[name]:
            yield Difference(name, "sha256", listed[name], recomputed)


def _impossible(folder: Path, record: Record, rates: list[float]) -> Iterator[Difference]:
    yield from _spelled(folder, record)
    counts = counts_of(record.plan, rates)
    yield from contradictions(record, counts, intended_of(record.plan, counts))
    yield from contradicted_by_gateways(record)
    yield from contradicted_by_generator(record)
    yield from contradicted_by_cluster(record)
    yield from _another_knee(folder, record.plan)


def _another_knee(folder: Path, plan: Plan) -> Iterator[Difference]:
    """Find a copy of a knee that is not the plan's, or that its own steps do not show."""
    if (folder / KNEE).exists():
        recomputed = digest(folder / KNEE)
        if plan.knee is not None and plan.knee.sha256 != recomputed:
            yield Difference(PLAN, "knee.sha256", plan.knee.sha256, f"{recomputed} of {KNEE}")
        yield from search_again(KNEE, read_document(folder / KNEE, KneeRecord))


def _misjudged(folder: Path, verdict: Verdict) -> Iterator[Difference]:
    if (folder / VERDICT).exists():
        yield from differences(VERDICT, plain(read_document(folder / VERDICT, Verdict)), plain(verdict))
    elif verdict.state == "complete" and (folder / MANIFEST).exists():
        yield Difference(VERDICT, "the file", "nothing", "a verdict, since the run is whole")


def _spelled(folder: Path, record: Record) -> Iterator[Difference]:
    """Find JSON that says the same as we would write, in other bytes: a field left out, another order, a blank."""
    kinds: dict[str, type[object]] = {PLAN: Plan, VERDICT: Verdict, MANIFEST: Manifest, PARTIAL: Partial}
    for name, kind in kinds.items():
        path = folder / name
        if path.exists() and read_bytes(path) != text_of(read_document(path, kind), indent=1) + b"\n":
            yield Difference(name, "the text", "another spelling", "as `write_document` writes it")
    lines: dict[str, Sequence[object]] = {
        CLUSTER: record.cluster,
        GATEWAY: record.gateway,
        GENERATOR: record.generator,
    }
    for name, items in lines.items():
        for number, (text, item) in enumerate(zip(read_bytes(folder / name).split(b"\n"), items, strict=False), 1):
            if text != text_of(item):
                yield Difference(name, f"line {number}", "another spelling", "as `LineWriter` writes it")
