"""The proof on a real cluster: it passes with controls that fail; what is broken off leaves a record and no pods."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import URL, user_kubectl, wait_for
from tests.cluster.overlay import ROOT
from tidegate_proof.record.documents import read_document
from tidegate_proof.record.folder import VERDICT
from tidegate_proof.record.proof import PROOF, Proof
from tidegate_proof.record.verdict import Verdict
from tidegate_proof.verdict.verify import Outcome, verify

PROVE_S = 1500
STARTED_S = 240
ENDED_S = 240


@pytest.fixture
def started(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run of a step that would take longer than anybody waits."""
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen(
        proof("run", "step", "--capacity=20", "--iterations=40", "--duration=600", f"--output={tmp_path}"),
        cwd=ROOT,
        stderr=log,
        text=True,
    )
    with log, process:
        yield process
        process.terminate()


def proof(*arguments: str) -> list[str]:
    command = [sys.executable, "-m", "tidegate_proof", *arguments]
    return [*command, f"--url={os.environ[URL]}"] if URL in os.environ else command


def own_namespaces() -> set[str]:
    selector = "app.kubernetes.io/managed-by=tidegate-proof"
    found = [user_kubectl(), "get", "namespaces", "-l", selector, "-o", "json"]
    return {one["metadata"]["name"] for one in json.loads(subprocess.check_output(found))["items"]}


@pytest.mark.cluster
def test_ctrl_c_leaves_a_partial_record_and_nothing_on_the_cluster(tmp_path, started):
    before = own_namespaces()
    (requests,) = wait_for("the first requests", lambda: list(tmp_path.glob("*/requests.csv.gz")), STARTED_S)
    own = own_namespaces() - before
    time.sleep(15)
    started.send_signal(signal.SIGINT)
    assert started.wait(ENDED_S) == Outcome.PARTIAL, (tmp_path / "log").read_text()
    found = verify(requests.parent)
    assert found.outcome is Outcome.PARTIAL, found.text
    assert "Ctrl-C" in found.text
    assert not own & own_namespaces()


@pytest.mark.cluster_full
def test_a_short_proof_passes_and_its_controls_fail(tmp_path):
    user_kubectl()
    done = subprocess.run(
        proof("prove", f"--output={tmp_path}"), cwd=ROOT, capture_output=True, text=True, check=False, timeout=PROVE_S
    )
    assert done.returncode == Outcome.PASSED, done.stderr
    (folder,) = tmp_path.iterdir()
    proven = read_document(folder / PROOF, Proof)
    assert [(run.control, run.passed) for run in proven.runs] == [
        (None, True),
        ("frozen-hpa", False),
        ("pinned", False),
    ]
    assert not proven.void
    for run in proven.runs:  # each applied the plan of the knee, whose forecast counts among its thresholds
        verdict = read_document(folder / run.folder / VERDICT, Verdict)
        assert "as foreseen" in {threshold.name for threshold in verdict.thresholds}
