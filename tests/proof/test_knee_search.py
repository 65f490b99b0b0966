"""The knee of a queue is where queueing theory says, and what cannot be known is refused with the reason."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proof import records
from tests.proof.simulated_servers import (
    Queue,
    capacity,
    constant,
    exponential,
    over,
    over_with_constant_service,
    refused_share,
)
from tidegate_proof.knee.search import attempt, find
from tidegate_proof.record.knee import Knee, KneeRecord, Search, Step
from tidegate_proof.record.plan import Slo
from tidegate_proof.verdict.knees import search_again
from tidegate_proof.verdict.searching import KneeError

SEEDS = range(20)
RATE = 100.0
SLO = Slo(latency_ms=150)
PLAN = Search(lowest_rps=8, duration_s=40)

QUEUES: list[tuple[str, Callable[[int], Queue], float]] = [
    (
        "M/M/1",
        lambda seed: Queue(SLO, seed, exponential(RATE)),
        capacity(lambda load: over(RATE, 1, 0.15, load), 0.01, RATE * 0.9999),
    ),
    (
        "M/D/1",
        lambda seed: Queue(SLO, seed, constant(RATE)),
        capacity(lambda load: over_with_constant_service(RATE, 0.15, load), 0.01, RATE * 0.9999),
    ),
    (
        "M/M/4",
        lambda seed: Queue(SLO, seed, exponential(RATE / 2), servers=4),
        capacity(lambda load: over(RATE / 2, 4, 0.15, load), 0.01, RATE * 1.9999),
    ),
    (
        "M/M/1/12",
        lambda seed: Queue(Slo(latency_ms=500, success=0.99), seed, exponential(RATE), room=12),
        capacity(lambda load: refused_share(RATE, 12, load), 0.01, RATE * 0.9999),
    ),
]


@pytest.mark.parametrize(("make", "known"), [queue[1:] for queue in QUEUES], ids=[queue[0] for queue in QUEUES])
async def test_the_knee_of_a_queue_is_within_a_tenth_of_theory_for_every_seed(
    make: Callable[[int], Queue], known: float
):
    found = []
    for seed in SEEDS:
        queue = make(seed)
        knee, _ = await find(queue, queue.slo, PLAN)
        assert knee.low < knee.high <= knee.low * (1 + PLAN.resolution)
        found.append(knee.capacity_rps / known)
    assert min(found) >= 0.9
    assert max(found) <= 1.1


def step(load: float, *, keeps: bool, faults: tuple[str, ...] = (), pending: float | None = None) -> Step:
    p99_ns = round(SLO.latency_ns * (0.5 if keeps else 2))
    return Step(
        offered_rps=load,
        goodput_rps=load,
        p50_ns=p99_ns,
        p95_ns=p99_ns,
        p99_ns=p99_ns,
        mean_pending=pending,
        cores_used=None,
        duration_s=10,
        n=1000,
        errors={},
        valid=not faults,
        faults=faults,
    )


@dataclass
class Scripted:
    """A replica that keeps the SLO up to a load, or as told for the loads and turns that are named."""

    upto: float
    told: Callable[[float, int], bool | None] = lambda _load, _turn: None
    faults: Callable[[float, int], tuple[str, ...]] = lambda _load, _turn: ()
    offered: list[float] = field(default_factory=list)

    async def __call__(self, offered_rps: float, duration_s: float) -> Step:
        assert duration_s > 0
        self.offered.append(offered_rps)
        turn = self.offered.count(offered_rps)
        told = self.told(offered_rps, turn)
        keeps = offered_rps <= self.upto if told is None else told
        return step(offered_rps, keeps=keeps, faults=self.faults(offered_rps, turn), pending=float(turn))


@given(st.floats(8, 19_000), st.floats(0.01, 0.3))
async def test_a_steady_replica_is_bracketed_as_closely_as_asked_and_both_ends_are_asked_twice(
    upto: float, resolution: float
):
    replica = Scripted(upto)
    knee, steps = await find(replica, SLO, replace(PLAN, resolution=resolution))
    assert knee.low <= upto < knee.high <= knee.low * (1 + resolution)
    assert knee.capacity_rps == knee.low
    assert replica.offered.count(knee.low) == replica.offered.count(knee.high) == 2
    assert [one.offered_rps for one in steps] == replica.offered
    assert knee.mean_pending == 1.5
    assert knee.cores_used is None


async def test_one_bad_moment_at_a_low_load_does_not_become_the_knee():
    replica = Scripted(1000, told=lambda load, turn: False if load == 64 and turn == 1 else None)
    knee, _ = await find(replica, SLO, PLAN)
    assert knee.low <= 1000 < knee.high


async def test_one_lucky_moment_above_the_knee_does_not_become_it():
    replica = Scripted(100, told=lambda load, turn: True if 100 < load < 105 and turn == 1 else None)
    knee, _ = await find(replica, SLO, PLAN)
    assert knee.low <= 100 < knee.high


async def refused(replica: Scripted | Queue, plan: Search = PLAN, slo: Slo = SLO) -> KneeError:
    with pytest.raises(KneeError) as found:
        await find(replica, slo, plan)
    assert len(found.value.steps) == len(replica.offered)
    return found.value


async def test_a_generator_that_lags_below_the_knee_is_no_measure_of_it():
    def lag(load: float) -> tuple[str, ...]:
        return ("the generator lagged",) if load > 30 else ()

    error = await refused(Queue(SLO, 1, exponential(RATE), faults=lag))
    assert "does not vouch for 32 requests/s, twice: the generator lagged" in str(error)
    assert error.steps[-1].faults == error.steps[-2].faults != ()


async def test_a_generator_that_was_held_up_once_is_asked_again_and_the_bad_step_counts_for_nothing():
    replica = Scripted(100, faults=lambda load, turn: ("held up",) if load == 64 and turn == 1 else ())
    knee, steps = await find(replica, SLO, PLAN)
    assert knee.low <= 100 < knee.high
    assert sum(bool(one.faults) for one in steps) == 1


async def test_an_slo_missed_at_the_lowest_load_is_no_knee():
    error = await refused(Scripted(5))
    assert "came 8 requests/s: p99 300.0 ms" in str(error)
    assert len(error.steps) == 2, "it was asked again before giving up"


async def test_an_slo_kept_at_the_highest_load_is_no_knee():
    error = await refused(Scripted(1e9), replace(PLAN, highest_rps=100))
    assert "kept at 100 requests/s" in str(error)
    assert max(step.offered_rps for step in error.steps) == 100


async def test_a_machine_that_slows_down_during_the_search_contradicts_itself():
    replica = Scripted(0)
    replica.told = lambda load, _turn: load <= (70 if len(replica.offered) < 6 else 20)
    assert "contradict each other" in str(await refused(replica))


async def test_results_without_an_end_are_too_noisy():
    replica = Scripted(0, told=lambda load, turn: load < 100 or turn % 2 == 0)
    assert "too noisy" in str(await refused(replica, replace(PLAN, most_steps=12)))


async def test_steps_too_short_for_a_backlog_to_show_are_refused_before_any_load():
    replica = Scripted(100)
    assert "at least 20 s for a latency of 1000 ms" in str(
        await refused(replica, replace(PLAN, duration_s=10), Slo(latency_ms=1000))
    )
    assert not replica.offered


async def test_fast_errors_do_not_keep_the_slo():
    fast = replace(step(10, keeps=True), errors={"refused": 950})
    assert step(10, keeps=True).keeps(SLO)
    assert not fast.keeps(SLO)
    assert not replace(step(10, keeps=True), p99_ns=None).keeps(SLO), "where a hundredth was never answered"


async def test_an_slo_of_another_quantile_is_refused():
    assert "99% quantile" in str(await refused(Scripted(100), slo=Slo(latency_ms=150, quantile=0.95)))


def record_of(steps: tuple[Step, ...], knee: Knee | None, refusal: str | None) -> KneeRecord:
    return replace(records.knee(), slo=SLO, steps=steps, knee=knee, refusal=refusal, search=PLAN)


async def test_the_same_steps_lead_to_the_same_knee_again():
    knee, steps = await find(Queue(SLO, 3, exponential(RATE)), SLO, PLAN)
    true = record_of(steps, knee, None)
    assert list(search_again("knee.json", true)) == []
    better = replace(knee, capacity_rps=knee.capacity_rps * 1.1)
    found = next(search_again("knee.json", replace(true, knee=better)))
    assert found.field == "knee.capacity_rps"
    (cut,) = search_again("knee.json", replace(true, steps=steps[:-1]))
    assert "one more, of" in str(cut)
    (other,) = search_again("knee.json", replace(true, steps=(steps[1], *steps[1:])))
    assert other.field == "steps.0.offered_rps"
    longer = replace(true, steps=(*steps, steps[-1]))
    assert any(search_again("knee.json", longer))
    assert list(search_again("knee.json", replace(true, knee=better, search=None))) == []


async def test_a_refusal_is_refused_again_in_the_same_words():
    knee, steps, refusal = await attempt(Scripted(5), SLO, PLAN)
    assert list(search_again("knee.json", record_of(steps, knee, refusal))) == []
    (found,) = search_again("knee.json", record_of(steps, knee, "nobody was there"))
    assert found.field == "refusal"
