"""`tidegate-proof knee` says what it found or why it refuses, in words, in its exit code and in knee.json."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.proof.model_payloads import of_the_gate
from tidegate_proof.commands import knee
from tidegate_proof.knee import search
from tidegate_proof.knee.search import Measure
from tidegate_proof.record.documents import read_document
from tidegate_proof.record.knee import Knee, KneeRecord, Search, Step
from tidegate_proof.record.plan import Slo
from tidegate_proof.verdict.searching import KneeError


def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    knee.add(parser.add_subparsers())
    return knee.main(parser.parse_args(["knee", *words]))


@pytest.fixture
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that tells what fits."""
    monkeypatch.setattr(knee, "learn", lambda *_, **__: of_the_gate())


@pytest.mark.usefixtures("_known")
def test_a_refused_search_writes_its_steps_and_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    step = step_of(p99_ns=None)

    async def find(_: Measure, slo: Slo, __: Search, tell: Callable[[Step], None]) -> tuple[Knee, tuple[Step, ...]]:
        assert not step.keeps(slo)
        tell(step)
        raise KneeError("the results contradict each other", (step,))

    monkeypatch.setattr(search, "find", find)
    out = tmp_path / "deep" / "knee.json"
    assert command("--url", "http://127.0.0.1:1", "--out", str(out)) == 1
    record = read_document(out, KneeRecord)
    assert (record.knee, record.refusal, record.steps) == (None, "the results contradict each other", (step,))
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "10 requests/s: p99 never, 7 of 100 failed: missed",
        "tidegate-proof knee: the results contradict each other",
    ]


def step_of(p99_ns: int | None) -> Step:
    return Step(
        offered_rps=10,
        goodput_rps=9.3,
        p50_ns=1000,
        p95_ns=None,
        p99_ns=p99_ns,
        mean_pending=0.5,
        cores_used=None,
        duration_s=10,
        n=100,
        errors={"lost": 7},
        valid=True,
    )


def test_a_gateway_that_is_not_there_is_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    port = free_port()
    assert command("--url", f"http://127.0.0.1:{port}", "--out", str(tmp_path / "knee.json")) == 2
    assert f"127.0.0.1:{port}/v1/models/and_gate/metadata: expected a model's metadata" in capsys.readouterr().err


@pytest.mark.usefixtures("_known")
def test_what_was_found_is_said_and_can_be_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    found = Knee(capacity_rps=100, low=100, high=103, p99_ns=42_000_000, mean_pending=1.5, cores_used=None)

    async def find(_: Measure, slo: Slo, plan: Search, __: object) -> tuple[Knee, tuple[Step, ...]]:
        assert (slo.latency_ms, plan.lowest_rps, plan.duration_s) == (250, 7, 10)
        return found, ()

    monkeypatch.setattr(search, "find", find)
    out = tmp_path / "knee.json"
    words = ["--url", "http://127.0.0.1:1", "--tier", "serving", "--latency-ms", "250", "--lowest", "7"]
    assert command(*words, "--out", str(out)) == 0
    assert "one serving replica takes 100 requests/s with a p99 of 42.0 ms" in capsys.readouterr().out
    record = read_document(out, KneeRecord)
    assert (record.knee, record.tier, record.refusal) == (found, "serving", None)
    assert (record.model, record.work_iterations) == ("work", 200)


def test_an_address_that_cannot_be_loaded_is_no_refusal_of_the_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert command("--url", "https://127.0.0.1", "--out", str(tmp_path / "knee.json")) == 2
    assert "expected http://" in capsys.readouterr().err
    assert not (tmp_path / "knee.json").exists()


@pytest.mark.parametrize("words", [("--success", "2"), ("--step-s", "0"), ("--latency-ms", "-1"), ("--tier", "all")])
def test_a_number_out_of_range_is_refused_before_any_load(words: tuple[str, str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        command("--url", "http://127.0.0.1:1", *words)
    assert words[0] in capsys.readouterr().err
