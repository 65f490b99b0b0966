from dataclasses import replace
from pathlib import Path

import pytest

from tests.proof import records
from tests.proof.sealing import write_sealed
from tidegate_proof.__main__ import main
from tidegate_proof.record.plan import Threshold
from tidegate_proof.record.requests import Requests
from tidegate_proof.verdict.controls import CONTROLS, NotTriedError
from tidegate_proof.verdict.trying import try_controls

WEAK = (Threshold(name="none-lost", metric="total.lost", op="==", limit=0, why="and nothing else is looked at"),)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_sealed(tmp_path_factory.mktemp("proof") / "run", records.record())


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name)
def test_every_control_is_found_out(folder, control):
    (tried,) = try_controls(folder, [control])
    assert tried.found_out is True, tried.text


def test_idle_gateways_are_found_out_too(tmp_path: Path):
    run = records.record()
    plan = replace(run.plan, tier="web", thresholds=(replace(run.plan.thresholds[-1]),))
    late = tuple(
        replace(event, t_ns=20 * 10**9) if records.GATEWAYS[1] in str(event.object) else event for event in run.cluster
    )
    run = replace(run, plan=plan, cluster=tuple(sorted(late, key=lambda event: event.t_ns)))
    (control,) = [control for control in CONTROLS if control.name == "idle-replicas"]
    (tried,) = try_controls(write_sealed(tmp_path / "run", run), [control])
    assert tried.found_out is True
    assert tried.text == "verified, failed: no-idle-gateway (0.0)"


def test_controls_leave_the_record_as_it_is():
    run = records.record()
    before = list(run.requests.rows()), run.gateway, run.arrivals
    for control in CONTROLS:
        control.falsify(run)
    assert (list(run.requests.rows()), run.gateway, run.arrivals) == before


@pytest.mark.parametrize("name", ["fast-errors", "idle-replicas"])
def test_thresholds_that_look_at_too_little_let_a_control_pass(tmp_path: Path, name):
    run = records.record()
    (control,) = [control for control in CONTROLS if control.name == name]
    folder = write_sealed(tmp_path / "run", replace(run, plan=replace(run.plan, thresholds=WEAK)))
    (tried,) = try_controls(folder, [control])
    assert (tried.found_out, tried.text) == (False, "verified, passed")


def test_a_control_without_occasion_says_why():
    frozen = records.record(frozen=True)
    nothing = replace(frozen, requests=Requests.of([]), gateway=())
    said = {}
    for control in CONTROLS:
        try:
            control.falsify(nothing)
        except NotTriedError as error:
            said[control.name] = str(error)
    assert said == {
        "idle-replicas": "no pod of serving became Ready in the run, long enough before its end",
        "edited-file": "no answer took a millisecond",
        "invented-answers": "no gateway told its total",
        "relabelled-refusals": "no gateway turned a request away",
    }


def test_the_command_names_every_control(folder, capsys):
    assert main(["verify", str(folder), "--controls"]) == 0
    said = capsys.readouterr().out
    assert all(f"control {control.name}: found out: " in said for control in CONTROLS)


def test_the_command_calls_a_record_void_when_a_control_passes(tmp_path: Path, capsys):
    run = records.record()
    folder = write_sealed(tmp_path / "run", replace(run, plan=replace(run.plan, thresholds=WEAK)))
    assert main(["verify", str(folder), "--controls"]) == 5
    said = capsys.readouterr()
    assert "control fast-errors: NOT FOUND OUT: verified, passed" in said.out
    assert "void: a falsified copy passes" in said.err


def test_controls_are_for_records_that_pass(tmp_path: Path, capsys):
    folder = write_sealed(tmp_path / "run", records.record(frozen=True))
    assert main(["verify", str(folder), "--controls"]) == 1
    assert "controls: not tried" in capsys.readouterr().err
