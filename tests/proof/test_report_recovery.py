"""Whether the objective was met again is told as it was, so that a control's row does not contradict itself."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.proof import records
from tests.proof.sealing import write_sealed
from tidegate_proof.report import render
from tidegate_proof.report.recovery import recovery
from tidegate_proof.report.run import Run, read_run
from tidegate_proof.report.wording import MISSING


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sealed(tmp_path_factory.mktemp("recovery") / "step", records.record())


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    """Its load changes at 20 s and at 65 s, and it ends at 92 s."""
    run = read_run(folder)
    assert [phase.start_s for phase in run.record.plan.phases if phase.change] == [20, 65]
    assert run.record.plan.duration_s == 92
    return run


def with_missed(run: Run, violations: tuple[int, ...], back_s: float | None) -> Run:
    figures = run.verdict.figures
    reaction = {tier: replace(reaction, slo_back_s=back_s) for tier, reaction in figures.reaction.items()}
    total = replace(figures.total, violation_s=len(violations))
    made = replace(figures, violations=violations, total=total, reaction=reaction)
    return replace(run, verdict=replace(run.verdict, figures=made))


@pytest.mark.parametrize(
    ("violations", "back_s", "told"),
    [
        ((), 0.0, "never missed"),
        (range(20, 32), 12.0, "after 12.0 s"),
        ((*range(20, 32), 50, 55), 12.0, "after 12.0 s, then missed for 2 s more"),
        (range(20, 65), None, "no"),
        ((21, *range(60, 65)), 2.0, "no, missed at the end"),
        ((21, *range(70, 92)), 2.0, "no, missed at the end"),
        ((3, *range(20, 32)), 12.0, "after 12.0 s"),
    ],
)
def test_the_objective_is_told_as_met_again_only_where_it_stayed_so(run, violations, back_s, told):
    assert str(recovery(with_missed(run, tuple(violations), back_s))) == told


def test_the_head_of_a_runs_report_says_the_same(run, folder):
    told = recovery(run)
    assert told.timed
    assert f"| Objective met again | {told.met} | after the load changed" in render(folder)["summary.md"].decode()


def test_without_a_change_of_the_load_there_is_nothing_to_come_back_from(run):
    steady = replace(run.record.plan, phases=tuple(replace(phase, change=False) for phase in run.record.plan.phases))
    missed = with_missed(run, (40,), None)
    assert str(recovery(replace(missed, record=replace(missed.record, plan=steady)))) == MISSING
