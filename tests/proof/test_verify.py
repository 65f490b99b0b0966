import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.proof import records
from tests.proof.sealing import resealed, write_sealed
from tidegate_proof.__main__ import main
from tidegate_proof.record.documents import read_document, write_document
from tidegate_proof.record.folder import REPORT, REQUESTS, VERDICT, Record, read_record
from tidegate_proof.record.manifest import MANIFEST, PARTIAL, Partial, seal
from tidegate_proof.record.requests import Requests
from tidegate_proof.verdict.differences import differences
from tidegate_proof.verdict.verify import Outcome, verify

PLAN = records.plan(warm_up_s=4, duration_s=80)


@pytest.fixture(scope="module")
def run() -> Record:
    return records.record(PLAN)


@pytest.fixture
def folder(tmp_path: Path, run) -> Path:
    return write_sealed(tmp_path / "run", run)


# Exit codes


def test_a_run_that_passed_is_verified_with_0(folder, capsys):
    assert main(["verify", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder}: verified, passed\n"


def test_a_run_that_failed_is_verified_with_1_and_says_why(tmp_path: Path, capsys):
    folder = write_sealed(tmp_path / "run", records.record(PLAN, frozen=True))
    assert main(["verify", str(folder)]) == 1
    assert f"{folder}: verified, failed: good (" in capsys.readouterr().err


def test_a_run_that_is_not_valid_ends_with_1_and_says_why(tmp_path: Path, run, capsys):
    late = replace(run.requests, sent_ns=run.requests.sent_ns + 10**7, answered_ns=run.requests.answered_ns + 10**7)
    assert main(["verify", str(write_sealed(tmp_path / "run", replace(run, requests=late)))]) == 1
    assert "not valid: generator lag p99, ms 10.3" in capsys.readouterr().err


def test_an_edited_file_ends_with_2_and_is_named(folder, capsys):
    path = folder / "cluster.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"desiredReplicas":3', b'"desiredReplicas":4', 1))
    assert main(["verify", str(folder)]) == 2
    assert f"{folder}: cluster.jsonl: sha256: recorded " in capsys.readouterr().err


def test_a_partial_run_ends_with_3(tmp_path: Path, run, capsys):
    assert main(["verify", str(write_sealed(tmp_path / "run", replace(run, partial="Ctrl-C")))]) == 3
    assert "partial: Ctrl-C" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["plan.json", "requests.csv.gz", "arrivals.csv.gz", "cluster.jsonl", "generator.jsonl"]
)
def test_a_record_without_its_raw_data_ends_with_4(folder, name, capsys):
    (folder / name).unlink()
    (folder / MANIFEST).unlink()
    assert main(["verify", str(folder)]) == 4
    assert f"{name}: expected in {folder}, is not there" in capsys.readouterr().err


def test_no_folder_ends_with_4(tmp_path: Path, capsys):
    assert main(["verify", str(tmp_path / "nowhere")]) == 4
    assert "expected a folder with a run's record" in capsys.readouterr().err


def test_the_printed_hash_of_the_plan_is_held_against_the_record(folder, run, capsys):
    assert main(["verify", str(folder), "--plan", run.plan.sha256()]) == 0
    assert main(["verify", str(folder), "--plan", "00"]) == 2
    assert "plan.json: sha256: 00 was printed, it is " in capsys.readouterr().err


# Partial records


def test_a_run_whose_end_nobody_wrote_is_partial(folder):
    (folder / MANIFEST).unlink()
    (folder / VERDICT).unlink()
    found = verify(folder)
    assert (found.outcome, found.text) == (
        Outcome.PARTIAL,
        "partial: no manifest.json: the run did not come to its end",
    )


def test_a_run_that_was_killed_is_partial_and_has_figures(folder, run):
    (folder / MANIFEST).unlink()
    (folder / VERDICT).unlink()
    path = folder / REQUESTS
    path.write_bytes(path.read_bytes()[:5000])
    found = verify(folder)
    assert found.outcome is Outcome.PARTIAL
    assert found.text.startswith("partial: requests.csv.gz ends after line ")
    assert found.verdict is not None
    assert 0 < found.verdict.figures.total.arrivals < len(run.requests)


def test_a_partial_run_may_lack_its_last_rows(tmp_path: Path, run):
    first = Requests.of(row for row in run.requests.rows() if row.id < 400)
    assert resealed(tmp_path, replace(run, requests=first, partial="Ctrl-C")).outcome is Outcome.PARTIAL


def test_a_partial_run_is_not_made_whole_by_deleting_the_reason(tmp_path: Path, run):
    first = Requests.of(row for row in run.requests.rows() if row.id < 400)
    found = resealed(tmp_path, replace(run, requests=first))
    assert found.outcome is Outcome.DIFFERS
    assert found.text == f"requests.csv.gz: rows: recorded 400, recomputed {len(run.requests)}"


def test_a_partial_run_that_was_edited_differs(tmp_path: Path, run):
    folder = write_sealed(tmp_path / "run", replace(run, partial="Ctrl-C"))
    write_document(folder / PARTIAL, replace(read_document(folder / PARTIAL, Partial), reason="it was done"))
    seal(folder)
    found = verify(folder)
    assert found.text == "verdict.json: reason: recorded Ctrl-C, recomputed it was done"


# What differs is named


def test_a_file_that_is_missing_or_too_many_is_named(folder):
    (folder / "notes.txt").write_text("…")
    assert (
        verify(folder).text
        == "manifest.json: notes.txt: recorded nothing, recomputed a file that the manifest does not list"
    )
    (folder / "notes.txt").unlink()
    (folder / VERDICT).unlink()
    assert verify(folder).text.startswith("manifest.json: verdict.json: recorded ")


def test_a_verdict_that_says_something_else_is_named_by_its_field(folder):
    document = json.loads((folder / VERDICT).read_bytes())
    document["figures"]["phases"][1]["latency_ns"]["p99"] -= 1
    (folder / VERDICT).write_text(json.dumps(document, indent=1) + "\n")
    seal(folder)
    found = verify(folder)
    assert found.outcome is Outcome.DIFFERS
    assert found.text.startswith("verdict.json: figures.phases.low.latency_ns.p99: recorded ")


def test_a_threshold_that_was_moved_after_the_run_is_found_in_the_verdict(folder, run):
    easier = tuple(replace(threshold, limit=0) for threshold in run.plan.thresholds)
    write_document(folder / "plan.json", replace(run.plan, thresholds=easier))
    seal(folder)
    assert verify(folder).text.startswith("verdict.json: plan_sha256: recorded ")


def test_floats_may_differ_after_the_sixth_digit():
    assert list(differences("f", {"a": 1.234567}, {"a": 1.234568})) == []
    (found,) = differences("f", {"a": [{"name": "b", "c": 1.23456}]}, {"a": [{"name": "b", "c": 1.23457}]})
    assert str(found) == "f: a.b.c: recorded 1.23456, recomputed 1.23457"


@pytest.mark.parametrize(("one", "other"), [(1, 2), (1, True), (1, 1.0), (None, 0), ("1", 1), ([1], [1, 2]), ([], {})])
def test_everything_else_is_compared_exactly(one, other):
    assert len(list(differences("f", {"a": one}, {"a": other}))) == 1


def test_a_report_that_the_record_does_not_give_is_found(folder):
    (folder / REPORT).write_text("All is well.")
    seal(folder)
    assert verify(folder).outcome is Outcome.PASSED
    found = verify(folder, lambda _: {REPORT: b"It is not."})
    assert (
        found.text == "report.html: the file: recorded another one, recomputed what this version draws from the record"
    )


def test_a_report_that_was_edited_is_found_by_the_command(folder, capsys):
    assert main(["report", str(folder)]) == 0
    seal(folder)
    assert main(["verify", str(folder)]) == 0
    (folder / REPORT).write_text((folder / REPORT).read_text().replace("passed", "excelled"))
    seal(folder)
    assert main(["verify", str(folder)]) == 2
    assert "report.html: the file: recorded another one" in capsys.readouterr().err


def test_a_report_of_another_version_is_held_against_its_hash_alone(tmp_path: Path, run, capsys):
    older = replace(run, plan=replace(run.plan, versions={"tidegate": "0.0.1"}))
    folder = write_sealed(tmp_path / "run", older)
    (folder / REPORT).write_text("As the old version drew it.")
    seal(folder)
    assert main(["verify", str(folder)]) == 0
    assert "drawn by version 0.0.1" in capsys.readouterr().err
    (folder / REPORT).write_text("Edited.")
    assert main(["verify", str(folder)]) == 2


def test_a_record_reads_the_same_after_verification(folder, run):
    verify(folder)
    assert list(read_record(folder).requests.rows()) == list(run.requests.rows())
