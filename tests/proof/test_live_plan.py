"""A plan cuts its load into phases that a reader understands, and asks the same of every run of a scenario."""

import io
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_proof.engine.columns import NONE, Columns
from tidegate_proof.live.plan import Terms, hypothesis, phases, thresholds
from tidegate_proof.live.progress import Moment, Progress, moment
from tidegate_proof.record.plan import Phase, Slo

TERMS = Terms.of(Slo(latency_ms=500), 40)
STEP = [10.0] * 30 + [60.0] * 75 + [10.0] * 45
MS = 1_000_000


def names(planned: tuple[Phase, ...]) -> list[tuple[str, int, int, bool]]:
    return [(phase.name, phase.start_s, phase.end_s, phase.change) for phase in planned]


def test_a_step_is_low_react_settled_and_down():
    assert names(phases(STEP, 15, 40)) == [
        ("warm-up", 0, 15, False),
        ("low", 15, 45, False),
        ("react", 45, 85, True),
        ("settled", 85, 120, False),
        ("down", 120, 165, True),
    ]


def test_a_rise_that_ends_before_pods_can_come_is_one_phase():
    assert [phase.name for phase in phases([5.0] * 20 + [50.0] * 10 + [5.0] * 20, 5, 40)] == [
        "warm-up", "low", "rise", "down",
    ]  # fmt: skip


def test_a_load_that_changes_all_the_time_is_one_phase():
    assert [phase.name for phase in phases([float(n) for n in range(100)], 5, 40)] == ["warm-up", "load"]


@given(
    rates=st.lists(st.tuples(st.sampled_from([1.0, 5.0, 9.0]), st.integers(1, 80)), min_size=1, max_size=12),
    warm_up_s=st.integers(1, 20),
    back_s=st.integers(1, 60),
)
def test_phases_follow_on_one_another_to_the_end_and_have_names_of_their_own(rates, warm_up_s, back_s):
    seconds = [rate for rate, length in rates for _ in range(length)]
    planned = phases(seconds, warm_up_s, back_s)
    assert planned[0].start_s == 0
    assert planned[-1].end_s == warm_up_s + len(seconds)
    assert all(before.end_s == after.start_s for before, after in pairwise(planned))
    assert len({phase.name for phase in planned}) == len(planned)
    assert [phase.measured for phase in planned] == [False] + [True] * (len(planned) - 1)


def test_a_step_must_lose_nothing_react_settle_use_every_pod_and_let_pods_go():
    asked = {one.name: one for one in thresholds(phases(STEP, 15, 40), "serving", TERMS, foreseen=True)}
    assert asked["nothing lost"].limit == 0
    assert asked["p99 while settled"].metric == "phases.settled.latency_ns.p99"
    assert asked["p99 while settled"].limit == 500 * MS
    assert asked["promise kept again"].metric == "reaction.serving.slo_back_s"
    assert asked["every pod works"].metric == "spread.serving.least"
    assert asked["pods go again"].metric == "reaction.serving.downs"


def test_an_overload_must_show_that_each_replica_adds_to_it_and_keeps_no_promise():
    planned = phases([float(n) for n in range(100)], 5, 40)
    asked = {one.name: one for one in thresholds(planned, "serving", TERMS, foreseen=False, overloaded_rps=30)}
    assert asked.keys() == {"nothing lost", "one replica does its part", "each replica adds to it", "every pod works"}
    assert asked["one replica does its part"].limit == 21
    assert (asked["each replica adds to it"].metric, asked["each replica adds to it"].op) == ("efficiency.least", ">=")


def test_a_control_says_in_its_hypothesis_that_it_must_fail():
    assert "must fail" in hypothesis("It scales.", "pinned")
    assert hypothesis("It scales.", None) == "It scales."


def columns() -> Columns:
    made = Columns([second * 10**9 + place * 100 * MS for second in range(4) for place in range(10)], "x")
    for index, intended in enumerate(made.intended_ns):
        if intended < 3 * 10**9:
            made.answered_ns[index], made.error[index] = intended + (50 if index % 10 else 900) * MS, NONE
    return made


def test_a_moment_tells_of_the_last_second_alone():
    planned = phases(STEP, 1, 40)
    now = moment(columns(), 2, planned, 500 * MS, {"serving": (1, 3), "web": (2, 2)})
    assert (now.offered, now.good, now.phase, now.of) == (10, 9, "low", 151)
    assert now.p99_ms == pytest.approx(np.percentile([50] * 9 + [900], 99))
    assert "serving 1→3" in str(now)
    assert "web 2" in str(now)


def test_a_moment_without_answers_has_no_latency():
    now = moment(columns(), 30, phases(STEP, 1, 40), 500 * MS, {})
    assert (now.offered, now.good, now.p99_ms) == (0, 0, None)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


NOW = Moment(second=20, of=40, phase="react", offered=5, good=4, p99_ms=12.0, pods={"web": (1, 1)})


def test_a_terminal_gets_one_line_that_renews_itself_and_messages_of_their_own():
    out = Terminal()
    progress = Progress(out, "step")
    progress.show(NOW)
    progress.show(NOW)
    progress.say("hello")
    assert out.getvalue().count("\n") == 1
    assert "██████████░░░░░░░░░░" in out.getvalue()
    assert out.getvalue().endswith("\r\x1b[Khello\n")


def test_elsewhere_there_is_a_plain_line_every_ten_seconds():
    out = io.StringIO()
    progress = Progress(out, "step")
    for second in range(15, 41):
        progress.show(Moment(second, 40, "react", 5, 4, 12.0, {"web": (1, 1)}))
    assert len(out.getvalue().splitlines()) == 3
    assert "\r" not in out.getvalue()
    assert "\x1b" not in out.getvalue()
