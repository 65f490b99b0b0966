"""What was recorded can be judged again, and is then what this version would have written."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.proof import records
from tests.proof.sealing import write_sealed
from tidegate_proof.__main__ import main
from tidegate_proof.live.conclusion import conclude_proof
from tidegate_proof.record.documents import read_document, write_document
from tidegate_proof.record.folder import PLAN, VERDICT
from tidegate_proof.record.knee import KNEE
from tidegate_proof.record.manifest import digest, seal
from tidegate_proof.record.plan import KneeUsed
from tidegate_proof.record.verdict import Verdict
from tidegate_proof.verdict.proof import verify_proof
from tidegate_proof.verdict.verify import Outcome, verify


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("proof")
    (root / "knee").mkdir()
    write_document(root / "knee" / KNEE, records.knee())
    used = KneeUsed(sha256=digest(root / "knee" / KNEE), capacity_rps=records.CAPACITY_RPS, folder="../knee")
    plan = replace(records.plan(), knee=used)
    write_sealed(root / "step", records.record(plan))
    write_sealed(root / "frozen", records.record(plan, frozen=True))
    conclude_proof(root, ["step", "frozen"], ["knee"])
    return root


def misjudge(folder: Path) -> None:
    verdict = read_document(folder / VERDICT, Verdict)
    total = replace(verdict.figures.total, lost=7)
    write_document(folder / VERDICT, replace(verdict, figures=replace(verdict.figures, total=total)))
    seal(folder)


def test_a_run_of_another_version_is_as_this_one_would_have_judged_it(proof, tmp_path, capsys):
    folder = tmp_path / "step"
    shutil.copytree(proof / "step", folder)
    plan = digest(folder / PLAN)
    misjudge(folder)
    assert verify(folder).outcome is Outcome.DIFFERS
    assert main(["judge", str(folder)]) == 0
    assert capsys.readouterr().out == "step: PASSED\n"
    assert verify(folder).outcome is Outcome.PASSED
    assert digest(folder / PLAN) == plan


def test_a_proof_is_judged_with_all_its_runs(proof, tmp_path, capsys):
    root = tmp_path / "proof"
    shutil.copytree(proof, root)
    misjudge(root / "frozen")
    seal(root)
    assert verify_proof(root).outcome is Outcome.DIFFERS
    assert main(["judge", str(root)]) == 0
    assert capsys.readouterr().out == "frozen: FAILED, as a control must\nstep: PASSED\nPASSED\n"
    assert verify_proof(root).outcome is Outcome.PASSED


def test_a_folder_without_a_record_is_refused(tmp_path, capsys):
    assert main(["judge", str(tmp_path / "nothing")]) == Outcome.UNUSABLE
    assert "nothing" in capsys.readouterr().err
