"""What cannot all be true is found, though verdict and manifest were made again; what may come is no contradiction."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.proof import records
from tests.proof.sealing import resealed, with_value, write_sealed
from tidegate_proof.__main__ import main
from tidegate_proof.record.folder import Record, write_record
from tidegate_proof.record.manifest import seal
from tidegate_proof.record.requests import ERRORS, Requests
from tidegate_proof.verdict.told_by_generator import LATE_NS
from tidegate_proof.verdict.verify import Outcome, verify

PLAN = records.plan(warm_up_s=4, duration_s=80)


@pytest.fixture(scope="module")
def run() -> Record:
    return records.record(PLAN)


def _plan(**changes: Any) -> Callable[[Record], Record]:
    return lambda run: replace(run, plan=replace(run.plan, **changes))


@pytest.mark.parametrize(
    ("forge", "says"),
    [
        (with_value("id", 5, 6), "requests.csv.gz: id of row 5: recorded 6, recomputed 5"),
        (with_value("intended_ns", 5, 1), "requests.csv.gz: intended_ns of row 5: recorded 1, recomputed "),
        (with_value("sent_ns", 5, 1), "recomputed sent at its time or later"),
        (with_value("answered_ns", 5, 1), "recomputed answered after it was sent"),
        (with_value("sent_ns", 5, -1), "recomputed sent, unless undispatched"),
        (with_value("answered_ns", 5, -1), "recomputed an answer, unless it failed without"),
        (with_value("error", 5, ERRORS.index("lost")), "recomputed an answer, unless it failed without"),
        (with_value("error", 5, ERRORS.index("refused")), "recomputed another status than 200 when refused"),
        (with_value("status", 5, 503), "recomputed 200 when right"),
        (with_value("status", 5, -1), "recomputed a status with an answer only"),
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
    skipped = rows[first.id + 5]
    rows[skipped.id] = type(first)(skipped.id, skipped.intended_ns, error="undispatched")
    again_ns = skipped.intended_ns + LATE_NS
    for late in [row for row in rows[skipped.id :] if row.sent_ns and row.intended_ns < again_ns]:
        rows[late.id] = late._replace(sent_ns=again_ns, answered_ns=late.answered_ns and again_ns + 10**7)
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
    odd = with_value(column, 5, value)(run)
    odd = with_value("error", 5, ERRORS.index("refused"))(odd) if column == "status" else odd
    assert resealed(tmp_path, odd).outcome in {Outcome.PASSED, Outcome.FAILED}
