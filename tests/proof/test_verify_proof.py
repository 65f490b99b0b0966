import shutil
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from tests.proof import records
from tests.proof.sealing import write_sealed
from tidegate_proof.__main__ import main
from tidegate_proof.live.console import Console
from tidegate_proof.live.progress import Progress
from tidegate_proof.live.proving import Proving
from tidegate_proof.live.stop import Stop
from tidegate_proof.record.documents import read_document, write_document
from tidegate_proof.record.folder import Record, read_record
from tidegate_proof.record.knee import KNEE, Search
from tidegate_proof.record.manifest import PARTIAL, Partial, digest, seal
from tidegate_proof.record.plan import KneeUsed
from tidegate_proof.record.proof import PROOF, Proof
from tidegate_proof.verdict.proof import conclude, verify_proof
from tidegate_proof.verdict.verify import Outcome, verify

if TYPE_CHECKING:
    from tidegate_proof.live.session import Place

PLAN = records.plan(warm_up_s=4, duration_s=80)


@pytest.fixture(scope="module")
def run() -> Record:
    return records.record(PLAN)


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
