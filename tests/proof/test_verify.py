import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from tests.proof import records
from tests.proof.sealing import write_sealed
from tidegate_proof.__main__ import main
from tidegate_proof.live.console import Console
from tidegate_proof.live.progress import Progress
from tidegate_proof.live.proving import Proving
from tidegate_proof.live.stop import Stop
from tidegate_proof.record.documents import read_document, write_document
from tidegate_proof.record.folder import REPORT, REQUESTS, VERDICT, Record, read_record, write_record
from tidegate_proof.record.knee import KNEE, Search
from tidegate_proof.record.manifest import MANIFEST, PARTIAL, Partial, digest, seal
from tidegate_proof.record.plan import KneeUsed
from tidegate_proof.record.proof import PROOF, Proof
from tidegate_proof.record.requests import ERRORS, Requests
from tidegate_proof.verdict.differences import differences
from tidegate_proof.verdict.proof import conclude, verify_proof
from tidegate_proof.verdict.verify import Outcome, Verified, verify

if TYPE_CHECKING:
    from tidegate_proof.live.session import Place

PLAN = records.plan(warm_up_s=4, duration_s=80)


@pytest.fixture(scope="module")
def run() -> Record:
    return records.record(PLAN)


@pytest.fixture
def folder(tmp_path: Path, run) -> Path:
    return write_sealed(tmp_path / "run", run)


def resealed(tmp_path: Path, record: Record) -> Verified:
    """Check what a thorough forger leaves: verdict and manifest made again over other raw data."""
    return verify(write_sealed(tmp_path / "forged", record))


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


# What cannot all be true, though verdict and manifest were made again


def _set(column: str, row: int, value: int) -> Callable[[Record], Record]:
    def forge(run: Record) -> Record:
        values = getattr(run.requests, column).copy()
        values[row] = value
        return replace(run, requests=replace(run.requests, **{column: values}))

    return forge


def _plan(**changes: Any) -> Callable[[Record], Record]:
    return lambda run: replace(run, plan=replace(run.plan, **changes))


@pytest.mark.parametrize(
    ("forge", "says"),
    [
        (_set("id", 5, 6), "requests.csv.gz: id of row 5: recorded 6, recomputed 5"),
        (_set("intended_ns", 5, 1), "requests.csv.gz: intended_ns of row 5: recorded 1, recomputed "),
        (_set("sent_ns", 5, 1), "recomputed sent at its time or later"),
        (_set("answered_ns", 5, 1), "recomputed answered after it was sent"),
        (_set("sent_ns", 5, -1), "recomputed sent, unless undispatched"),
        (_set("answered_ns", 5, -1), "recomputed an answer, unless it failed without"),
        (_set("error", 5, ERRORS.index("lost")), "recomputed an answer, unless it failed without"),
        (_set("error", 5, ERRORS.index("refused")), "recomputed another status than 200 when refused"),
        (_set("status", 5, 503), "recomputed 200 when right"),
        (_set("status", 5, -1), "recomputed a status with an answer only"),
        (
            lambda run: replace(run, gateway=(*run.gateway, run.gateway[-1])),
            "final: recorded True, recomputed false, since tidegate-web-6d4f-bbbbb told its total before",
        ),
        (
            lambda run: replace(run, arrivals=(*run.arrivals[:3], 9, *run.arrivals[4:])),
            "arrivals.csv.gz: requests of second 3: recorded 9, recomputed 8",
        ),
        (lambda run: replace(run, arrivals=run.arrivals[1:]), "arrivals.csv.gz: seconds: recorded 83, recomputed 84"),
        (lambda run: replace(run, cluster=run.cluster[::-1]), " t_ns: recorded "),
        (
            lambda run: replace(run, cluster=tuple(replace(e, wall="noon") if e.wall else e for e in run.cluster)),
            "wall: recorded noon, recomputed RFC 3339 with an offset",
        ),
        (
            lambda run: replace(run, generator=(*run.generator, replace(run.generator[-1], cpu_s=0))),
            "generator.jsonl: line 86 cpu_s: recorded 0.0",
        ),
        (_plan(process="poisson"), "arrivals.csv.gz: requests of second "),
        (_plan(warm_up_s=5), "plan.json: phases: recorded end at 84 s, recomputed 85 s"),
        (_plan(phases=PLAN.phases[1:]), "plan.json: phases.low.start_s: recorded 4, recomputed 0"),
        (_plan(thresholds=PLAN.thresholds[:1] * 2), "recomputed different names"),
    ],
)
def test_a_thorough_forger_is_contradicted(tmp_path: Path, run, forge, says):
    write_record(tmp_path / "forged", forge(run))  # without a verdict, which is looked at after all this
    seal(tmp_path / "forged")
    found = verify(tmp_path / "forged")
    assert found.outcome is Outcome.DIFFERS
    assert says in found.text


def test_an_honest_record_of_every_kind_of_failure_is_no_contradiction(tmp_path: Path, run):
    rows = list(run.requests.rows())
    first = next(row for row in rows if row.id > 100)
    for place, word in enumerate(("connect", "lost", "timeout"), first.id):
        rows[place] = rows[place]._replace(error=word, answered_ns=None, status=None, pod="", backend="", seq=None)
    rows[first.id + 3] = rows[first.id + 3]._replace(error="wrong")
    rows[first.id + 4] = rows[first.id + 4]._replace(error="refused", status=503, backend="")
    rows[first.id + 6] = rows[first.id]._replace(
        id=first.id + 6, intended_ns=rows[first.id + 6].intended_ns, sent_ns=rows[first.id + 6].sent_ns, error="wrong"
    )
    rows[first.id + 5] = type(first)(first.id + 5, rows[first.id + 5].intended_ns, error="undispatched")
    found = resealed(tmp_path, replace(run, requests=Requests.of(rows)))
    assert found.outcome in {Outcome.PASSED, Outcome.FAILED}
    assert "none-lost (4.0)" in found.text


def test_poisson_arrivals_are_made_again_too(tmp_path: Path):
    run = records.record(records.plan(warm_up_s=4, duration_s=80, process="poisson"))
    assert resealed(tmp_path, run).outcome in {Outcome.PASSED, Outcome.FAILED}
    moved = np.sort(run.requests.intended_ns + np.arange(len(run.requests)) % 2)
    found = resealed(tmp_path / "moved", replace(run, requests=replace(run.requests, intended_ns=moved)))
    assert found.text.startswith("requests.csv.gz: intended_ns of row ")


def test_arrivals_of_a_trace_are_made_again_from_the_trace(tmp_path: Path, run, capsys):
    shape = replace(run.plan.shape, name="trace", trace="azure_llm_2023.csv.gz", time_scale=20.0)
    planned = replace(run.plan, shape=shape)
    run = records.record(planned)
    assert len(set(run.arrivals)) > 10
    folder = write_sealed(tmp_path / "run", run)
    assert verify(folder).outcome in {Outcome.PASSED, Outcome.FAILED}
    assert main(["verify", str(folder), "--traces", str(tmp_path)]) == 4
    assert "plan.json: its arrivals cannot be made again: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("column", "value"), [("status", 299), ("pod", -1), ("seq", -1), ("seq", 0), ("seq", 10**6), ("backend", -1)]
)
def test_whatever_a_gateway_answers_is_no_contradiction(tmp_path: Path, run, column, value):
    odd = _set(column, 5, value)(run)
    odd = _set("error", 5, ERRORS.index("refused"))(odd) if column == "status" else odd
    assert resealed(tmp_path, odd).outcome in {Outcome.PASSED, Outcome.FAILED}


# Proofs


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root: Path = tmp_path_factory.mktemp("proof")
    (root / "knee").mkdir()
    write_document(root / "knee" / KNEE, records.knee())
    used = KneeUsed(sha256=digest(root / "knee" / KNEE), capacity_rps=records.CAPACITY_RPS, folder="../knee")
    plan = replace(PLAN, knee=used)
    write_sealed(root / "step", records.record(plan))
    write_sealed(root / "frozen", records.record(plan, frozen=True))
    write_document(root / PROOF, conclude(root, ["step", "frozen"], ["knee"]))
    seal(root)
    return root


def test_a_proof_passes_when_runs_pass_and_controls_fail(root, capsys):
    proof = read_document(root / PROOF, Proof)
    assert [(said.folder, said.expect, said.passed) for said in proof.runs] == [
        ("step", "pass", True),
        ("frozen", "fail", False),
    ]
    assert (proof.void, proof.passed) == (False, True)
    assert main(["verify", str(root)]) == 0
    assert "verified, 2 runs, passed" in capsys.readouterr().out


def test_printed_hashes_are_held_against_the_plans_of_a_proofs_runs(root, capsys):
    step, frozen = (digest(root / name / "plan.json") for name in ("step", "frozen"))
    assert main(["verify", str(root), "--plan", step, "--plan", frozen]) == 0
    assert main(["verify", str(root), "--plan", step, "--plan", "00"]) == 2
    assert "plan.json: sha256: 00 was printed, no run has that plan" in capsys.readouterr().err


def test_a_proof_that_is_no_json_any_more_differs_from_its_manifest(tmp_path: Path, root, capsys):
    shutil.copytree(root, tmp_path / "proof")
    (tmp_path / "proof" / PROOF).write_text("{")
    assert main(["verify", str(tmp_path / "proof"), "--controls", "--plan", "00"]) == 2
    assert "proof.json: sha256: recorded " in capsys.readouterr().err


def test_a_proof_whose_programme_was_broken_off_is_partial_whatever_its_runs_show(tmp_path: Path, root, capsys):
    shutil.copytree(root, tmp_path / "proof")
    console = Console(Progress(StringIO(), "prove"), Stop())
    nowhere = cast("Place", None)  # concluding needs no cluster
    proving = Proving(nowhere, tmp_path / "proof", {}, keda=False, console=console, runs=["step", "frozen"])
    proving.knees.append("knee")
    assert proving.conclude(Partial(reason="interrupted (Ctrl-C)", t_ns=10**9)).passed
    assert main(["verify", str(tmp_path / "proof")]) == 3
    assert "partial: interrupted (Ctrl-C)" in capsys.readouterr().err
    (tmp_path / "proof" / PARTIAL).unlink()
    assert verify_proof(tmp_path / "proof").text.startswith("manifest.json: partial.json: recorded ")


def test_controls_of_a_proof_are_those_of_its_runs_that_pass(root, capsys):
    assert main(["verify", str(root), "--controls"]) == 0
    said = capsys.readouterr().out
    assert f"{root / 'step'}: control fast-errors: found out" in said
    assert f"{root / 'frozen'}: control" not in said


def _conclude(root: Path, runs: list[str]) -> None:
    write_document(root / PROOF, conclude(root, runs, []))


def test_a_proof_whose_control_passes_is_void(tmp_path: Path, run):
    run = replace(run, plan=replace(run.plan, knee=None))
    write_sealed(tmp_path / "step", run)
    write_sealed(tmp_path / "pinned", replace(run, plan=replace(run.plan, control="pinned")))
    _conclude(tmp_path, ["step", "pinned"])
    found = verify_proof(tmp_path)
    assert (found.outcome, found.text) == (Outcome.FAILED, "verified, void: controls that did not fail: pinned")


def test_a_control_that_is_not_valid_did_not_fail(tmp_path: Path, run):
    late = replace(run.requests, sent_ns=run.requests.sent_ns + 10**7, answered_ns=run.requests.answered_ns + 10**7)
    write_sealed(tmp_path / "step", run)
    write_sealed(tmp_path / "pinned", replace(run, plan=replace(run.plan, control="pinned"), requests=late))
    proof = conclude(tmp_path, ["step", "pinned"], [])
    assert (proof.runs[1].passed, proof.void, proof.passed) == (None, True, False)


def test_a_proof_without_controls_is_void(tmp_path: Path, run):
    write_sealed(tmp_path / "step", replace(run, plan=replace(run.plan, knee=None)))
    _conclude(tmp_path, ["step"])
    assert verify_proof(tmp_path).text == "verified, void: no control"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"passed": False}, "proof.json: passed: recorded False, recomputed True"),
        ({"void": True}, "proof.json: void: recorded True, recomputed False"),
        ({"intervals": ()}, "proof.json: intervals: recorded [], recomputed "),
        ({"runs": 1}, "proof.json: void: recorded False, recomputed True"),
        ({"control": None}, "proof.json: runs.1.control: recorded None, recomputed frozen-hpa"),
        ({"sha256": "00"}, "proof.json: knees.0.sha256: recorded 00"),
    ],
)
def test_a_proof_that_says_something_else_is_named_by_its_field(tmp_path: Path, root, change, says):
    shutil.copytree(root, tmp_path / "proof")
    proof = read_document(root / PROOF, Proof)
    match change:
        case {"runs": int(n)}:
            proof = replace(proof, runs=proof.runs[:n])
        case {"control": None}:
            proof = replace(proof, runs=(proof.runs[0], replace(proof.runs[1], control=None)))
        case {"sha256": str(digest)}:
            proof = replace(proof, knees=(replace(proof.knees[0], sha256=digest),))
        case _:
            proof = replace(proof, **change)
    write_document(tmp_path / "proof" / PROOF, proof)
    seal(tmp_path / "proof")
    found = verify_proof(tmp_path / "proof")
    assert found.outcome is Outcome.DIFFERS
    assert says in found.text


def test_a_run_by_another_knee_is_named(tmp_path: Path, run):
    write_sealed(tmp_path / "step", run)
    _conclude(tmp_path, ["step"])
    found = verify_proof(tmp_path)
    assert found.outcome is Outcome.DIFFERS
    assert (
        found.text == f"step/plan.json: knee.sha256: recorded {'00' * 32}, recomputed that of one of the proof's knees"
    )


def test_a_knee_that_its_own_steps_do_not_show_is_named(tmp_path: Path, run):
    claimed = replace(records.knee(), search=Search(lowest_rps=8))
    write_document(tmp_path / KNEE, claimed)
    used = KneeUsed(sha256=digest(tmp_path / KNEE), capacity_rps=records.CAPACITY_RPS, folder=".")
    write_sealed(tmp_path / "step", replace(run, plan=replace(run.plan, knee=used)))
    shutil.copyfile(tmp_path / KNEE, tmp_path / "step" / KNEE)
    seal(tmp_path / "step")
    found = verify(tmp_path / "step")
    assert found.outcome is Outcome.DIFFERS
    assert found.text.startswith("knee.json: steps")
    write_document(tmp_path / "step" / KNEE, records.knee())
    seal(tmp_path / "step")
    assert "plan.json: knee.sha256" in verify(tmp_path / "step").text


def test_a_run_by_another_capacity_than_its_knees_is_named(tmp_path: Path, root):
    shutil.copytree(root, tmp_path / "proof")
    folder = tmp_path / "proof"
    write_document(folder / "knee" / KNEE, records.knee(19))
    for name in ("step", "frozen"):
        of = read_record(folder / name)
        assert of.plan.knee is not None
        knee = replace(of.plan.knee, sha256=digest(folder / "knee" / KNEE))
        shutil.rmtree(folder / name)
        write_sealed(folder / name, replace(of, plan=replace(of.plan, knee=knee)))
    write_document(folder / PROOF, conclude(folder, ["step", "frozen"], ["knee"]))
    seal(folder)
    assert verify_proof(folder).text == "step/plan.json: knee.capacity_rps: recorded 20.0, recomputed 19.0"


def test_an_edited_record_of_a_proof_is_named_with_its_folder(tmp_path: Path, root):
    shutil.copytree(root, tmp_path / "proof")
    path = tmp_path / "proof" / "frozen" / "gateway.jsonl"
    path.write_bytes(path.read_bytes() + b"\n")
    assert verify_proof(tmp_path / "proof").text.startswith("frozen/gateway.jsonl: sha256: recorded ")


def test_a_proof_takes_no_records_from_elsewhere(tmp_path: Path, root):
    shutil.copytree(root, tmp_path / "proof")
    proof = read_document(root / PROOF, Proof)
    shutil.copytree(root / "step", tmp_path / "elsewhere")
    write_document(tmp_path / "proof" / PROOF, replace(proof, runs=(replace(proof.runs[0], folder="../elsewhere"),)))
    seal(tmp_path / "proof")
    assert verify_proof(tmp_path / "proof").outcome is Outcome.UNUSABLE


def test_a_record_reads_the_same_after_verification(folder, run):
    verify(folder)
    assert list(read_record(folder).requests.rows()) == list(run.requests.rows())
