"""What became of the arrivals adds up, whoever counted it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import COUNTED, Ledger, Route, Second, Sighting, columns, sightings

MS = 1_000_000
A, B = Route("gate-a", "10.0.0.1:8500", "1"), Route("gate-b", "10.0.0.2:8500", "2")

events = st.lists(
    st.tuples(
        st.integers(0, 5000),  # due, ms
        st.integers(0, 3000),  # latency, ms
        st.booleans(),  # right
        st.sampled_from([A, B, Route()]),
        st.sampled_from(["answered", "sent", "undispatched"]),
    ),
    max_size=40,
)


def book(ledger: Ledger, happened) -> None:
    for due, latency, right, route, end in happened:
        if end == "undispatched":
            ledger.undispatched(due * MS)
            continue
        ledger.sent(due * MS, due * MS)
        if end == "answered":
            ledger.answered(due * MS, (due + latency) * MS, route, right=right)


@given(one=events, other=events)
def test_workers_accounts_add_up_to_those_of_one_process(one, other):
    alone = Ledger(200)
    book(alone, one + other)
    master = Ledger(200)
    for half in (one, other):
        worker = Ledger(200)
        for event in half:
            book(worker, [event])
            master.add(json.loads(json.dumps(worker.take())))
    assert master.seconds == alone.seconds


@given(happened=events)
def test_every_arrival_is_sent_or_not_and_no_answer_comes_from_nowhere(happened):
    ledger = Ledger(200)
    book(ledger, happened)
    found = columns(ledger.seconds, max(ledger.seconds, default=-1) + 1)
    totals = {name: sum(found[name]) for name in COUNTED}
    assert totals["arrivals"] == len(happened) == totals["sent"] + totals["undispatched"]
    assert totals["sent"] >= totals["answered"] >= totals["right"] >= totals["in_time"]
    named = sum(end == "answered" and bool(route.pod) for *_, route, end in happened)
    assert sum(map(sum, found["pods"].values())) == sum(map(sum, found["backends"].values())) == named


@pytest.mark.parametrize(
    ("bad", "violated"),
    [(None, False), ("late", True), ("wrong", True), ("undispatched", True)],
)
def test_a_second_is_violated_by_more_than_one_in_a_hundred_late_wrong_or_unsent(bad, violated):
    ledger = Ledger(200)
    for place in range(98):
        ledger.sent(place * MS, place * MS)
        ledger.answered(place * MS, (place + 199) * MS, A, right=True)
    if bad == "undispatched":
        ledger.undispatched(990 * MS)
    elif bad:
        ledger.sent(990 * MS, 990 * MS)
        ledger.answered(990 * MS, (990 + (201 if bad == "late" else 1)) * MS, A, right=bad != "wrong")
    assert ledger.seconds[0].violated is violated


def test_one_in_a_hundred_may_be_late():
    ledger = Ledger(200)
    for place in range(100):
        ledger.sent(place * MS, place * MS)
        ledger.answered(place * MS, (place + (500 if place == 50 else 5)) * MS, A, right=True)
    assert not ledger.seconds[0].violated


def test_latency_counts_from_when_a_request_was_due_and_the_generators_lag_is_told():
    ledger = Ledger(200)
    ledger.sent(100 * MS, 150 * MS)
    ledger.answered(100 * MS, 400 * MS, A, right=True)
    assert ledger.seconds[0].lag_ms == 50
    assert ledger.seconds[0].latency_ms(0.5) == pytest.approx(300, rel=0.05)
    assert ledger.seconds[0].in_time == 0


@given(latencies=st.lists(st.floats(0.1, 60_000), min_size=1, max_size=60), share=st.sampled_from([0.5, 0.99]))
def test_quantiles_are_right_to_five_per_cent(latencies, share):
    ledger = Ledger(200)
    for latency in latencies:
        ledger.answered(0, round(latency * MS), A, right=True)
    ranked = sorted(latencies)
    exact = ranked[max(1, -int(-share * len(ranked) // 1)) - 1]
    assert ledger.seconds[0].latency_ms(share) == pytest.approx(exact, rel=0.0501)


@pytest.mark.parametrize("bad", ["refused at once", "never sent"])
def test_arrivals_that_were_not_answered_right_make_no_latency_look_better(bad):
    ledger = Ledger(200)
    for place in range(10):
        ledger.answered(place * MS, (place + 300) * MS, A, right=True)
    for place in range(5):
        if bad == "never sent":
            ledger.undispatched(place * MS)
        else:
            ledger.answered(place * MS, (place + 1) * MS, A, right=False)
    assert ledger.seconds[0].latency_ms(0.5) == pytest.approx(300, rel=0.05)
    assert ledger.seconds[0].latency_ms(0.99) is None


def test_a_second_without_answers_has_no_latency():
    assert Second().latency_ms(0.99) is None
    assert columns({}, 2)["p99_ms"] == [None, None]


def test_who_begins_and_ceases_to_answer_is_told_once_others_go_on():
    ledger = Ledger(200)
    for second in range(20):
        ledger.answered(second * 1000 * MS, second * 1000 * MS, A, right=True)
    for second in range(4, 9):
        ledger.answered(second * 1000 * MS, second * 1000 * MS, Route("gate-b", "10.0.0.1:8500", "1"), right=True)
    assert [seen for seen in sightings(ledger.seconds) if seen.kind == "gateway"] == [
        Sighting(0, "gateway", "gate-a", "first answer"),
        Sighting(4, "gateway", "gate-b", "first answer"),
        Sighting(8, "gateway", "gate-b", "last answer"),
    ]
    assert not any(seen.what == "last answer" for seen in sightings({0: Second(pods=ledger.seconds[0].pods)}))


def test_arrivals_that_were_planned_and_never_due_are_a_lost_workers_share():
    ledger = Ledger(200)
    for second in (0, 0, 1):
        ledger.sent(second * 1000 * MS, second * 1000 * MS)
    ledger.undispatched(1500 * MS)
    assert ledger.never_due([2, 2, 5], 2) == 0
    assert ledger.never_due([2, 4, 5], 2) == 2
    assert ledger.never_due([2, 2, 5], 3) == 5
    assert ledger.never_due((), 3) == 0
