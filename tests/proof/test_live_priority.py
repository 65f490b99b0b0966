"""The generator goes first where the system lets it, says how, and is an ordinary process again afterwards."""

import os
import sys

import pytest

from tidegate_proof.live import priority


def standing() -> tuple[int, int]:
    return os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0) if sys.platform == "linux" else 0


def refuse(*_: object) -> None:
    raise PermissionError


def test_it_is_as_it_was_afterwards_also_after_a_failure():
    before = standing()
    with pytest.raises(RuntimeError), priority.raised():
        raise RuntimeError
    assert standing() == before
    assert priority.allowed() in {"real time", "priority -10", "as any other process"}


def test_without_the_right_to_it_runs_as_any_other(monkeypatch):
    monkeypatch.setattr(os, "setpriority", refuse)
    if sys.platform == "linux":
        monkeypatch.setattr(os, "sched_setscheduler", refuse)
    before = standing()
    with priority.raised() as how:
        assert how == "as any other process"
        assert standing() == before


@pytest.mark.skipif(sys.platform != "linux", reason="real-time classes are Linux's here")
def test_without_real_time_it_has_at_least_a_priority(monkeypatch):
    asked: list[int] = []
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    monkeypatch.setattr(os, "setpriority", lambda _kind, _who, wanted: asked.append(wanted))
    with priority.raised() as how:
        assert how == "priority -10"
    assert len(asked) == 2


def test_a_refusal_within_is_not_taken_for_the_systems():
    with pytest.raises(PermissionError, match="ours"), priority.raised():
        raise PermissionError("ours")
