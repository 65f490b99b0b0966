"""Arrivals keep to their shape, add up, lie in order, and come out the same every time."""

import math
from itertools import pairwise
from pathlib import Path
from statistics import fmean, variance

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrivals import (
    PROCESSES,
    SECOND_NS,
    SHAPES,
    ArrivalError,
    counts,
    intended_ns,
    rates,
    read_csv,
    trace_seconds,
    write_csv,
)
from scenarios import SCENARIOS, TRACES

DRAWN = [name for name in SHAPES if name != "trace"]
SAMPLES = sorted(TRACES.glob("*.csv.gz"))

loads = st.lists(st.floats(0, 300), max_size=30)
processes = st.sampled_from(PROCESSES)


@given(
    shape=st.sampled_from(DRAWN),
    base=st.floats(0, 1e5),
    above=st.floats(0, 1e5),
    duration_s=st.integers(1, 500),
    period_s=st.none() | st.integers(1, 600),
)
def test_a_shape_stays_between_base_and_peak_and_starts_anew_each_period(shape, base, above, duration_s, period_s):
    found = rates(shape, base=base, peak=base + above, duration_s=duration_s, period_s=period_s)
    assert len(found) == duration_s
    assert all(base <= rate <= base + above for rate in found)
    if period_s:
        assert all(rate == found[second % period_s] for second, rate in enumerate(found))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("constant", [2.0] * 10),
        ("step", [2, 2, 12, 12, 12, 12, 12, 2, 2, 2]),
        ("spike", [2, 2, 2, 2, 2, 12, 2, 2, 2, 2]),
        ("ramp", [2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5, 10.5, 11.5]),
        ("sawtooth", [3, 5, 7, 9, 11, 11, 9, 7, 5, 3]),
        ("soak", [7, 12, 12, 12, 12, 12, 12, 12, 12, 7]),
    ],
)
def test_a_shape_is_what_its_name_says(shape, expected):
    assert rates(shape, base=2, peak=12, duration_s=10) == pytest.approx(expected)


def test_a_day_is_quiet_at_its_ends_and_busy_in_the_middle():
    day = rates("diurnal", base=10, peak=30, duration_s=240)
    assert day == pytest.approx(day[::-1])
    assert all(before < after for before, after in pairwise(day[:120]))
    assert fmean(day) == pytest.approx(20)


@given(load=loads, seed=st.integers(0, 9))
def test_paced_counts_follow_the_running_sum_of_the_rates(load, seed):
    found = counts(load, process="paced", seed=seed)
    assert len(found) == len(load)
    for second in range(len(load) + 1):
        assert abs(sum(found[:second]) - sum(load[:second])) <= 0.5 + 1e-6
    assert all(math.floor(rate) - 1 <= count <= math.ceil(rate) + 1 for rate, count in zip(load, found, strict=True))


@pytest.mark.parametrize("mean", [0.0, 0.3, 4.0, 9.9, 10.0, 37.5, 1000.0])
def test_poisson_counts_have_the_mean_and_the_variance_of_their_rate(mean):
    found = counts([mean] * 4000, process="poisson", seed=5)
    error = math.sqrt(mean / 4000)  # of the sample's mean
    assert abs(fmean(found) - mean) <= 4 * error
    assert abs(variance(found) - mean) <= 4 * (mean * math.sqrt(2 / 4000) + error)
    assert min(found) >= 0


@given(load=loads, process=processes, seed=st.integers(0, 2**64))
def test_every_count_becomes_as_many_starts_within_its_second_in_order(load, process, seed):
    planned = counts(load, process=process, seed=seed)
    starts = intended_ns(planned, process=process, seed=seed)
    assert starts == sorted(starts)
    seen = [0] * len(planned)
    for start in starts:
        seen[start // SECOND_NS] += 1
    assert seen == planned


@given(load=loads, process=processes, seed=st.integers(0, 2**64))
def test_the_same_seed_gives_the_same_arrivals(load, process, seed):
    once, again = (counts(load, process=process, seed=seed) for _ in range(2))
    assert once == again
    assert intended_ns(once, process=process, seed=seed) == intended_ns(once, process=process, seed=seed)


def test_another_seed_gives_other_poisson_arrivals_and_a_seed_means_the_same_for_ever():
    assert counts([3.0, 40.0, 5.0], process="poisson", seed=1) == [4, 43, 3]
    assert counts([3.0, 40.0, 5.0], process="poisson", seed=2) != [4, 43, 3]
    assert intended_ns([2], process="poisson", seed=1) != intended_ns([2], process="poisson", seed=2)


def test_paced_starts_are_evenly_apart():
    assert intended_ns([4, 0, 1], process="paced", seed=0) == [
        125_000_000,
        375_000_000,
        625_000_000,
        875_000_000,
        2_500_000_000,
    ]


def test_gaps_of_poisson_arrivals_are_exponential():
    starts = intended_ns(counts([500.0] * 20, process="poisson", seed=3), process="poisson", seed=3)
    gaps = [(after - before) / SECOND_NS for before, after in pairwise(starts)]
    assert fmean(gaps) == pytest.approx(1 / 500, rel=0.05)
    assert sum(gap > 1 / 500 for gap in gaps) / len(gaps) == pytest.approx(math.exp(-1), abs=0.02)


@settings(max_examples=30)
@given(planned=st.lists(st.integers(0, 10**6), min_size=1, max_size=50), zipped=st.booleans())
def test_counts_written_are_read_back_and_give_the_same_bytes(tmp_path_factory, planned, zipped):
    path = tmp_path_factory.mktemp("arrivals") / ("a.csv.gz" if zipped else "a.csv")
    write_csv(path, planned)
    content = path.read_bytes()
    assert read_csv(path) == planned
    write_csv(path, planned)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected a CSV of offset_s,requests"),
        ("time,requests\n0,1\n", "the first line is time,requests"),
        ("offset_s,requests\n", "offsets do not ascend from 0"),
        ("offset_s,requests\n1,1\n", "offsets do not ascend from 0"),
        ("offset_s,requests\n0,1\n0,2\n", "offsets do not ascend from 0"),
        ("offset_s,requests\n0,-1\n", "below 0"),
        ("offset_s,requests\n0,many\n", "expected a CSV of offset_s,requests"),
        ("offset_s,requests\n0,1\n60,1\n", "expected a row for each second"),
    ],
)
def test_a_file_that_holds_no_arrivals_is_refused_by_name(tmp_path, text, problem):
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(ArrivalError, match=r"mine\.csv: ") as refusal:
        read_csv(path)
    assert problem in str(refusal.value)


def test_a_file_that_is_not_there_or_no_gzip_is_refused_by_name(tmp_path):
    (tmp_path / "a.csv.gz").write_text("offset_s,requests\n0,1\n")
    for name in ("a.csv.gz", "none.csv"):
        with pytest.raises(ArrivalError, match=name):
            read_csv(tmp_path / name)


def trace(folder: Path, text: str) -> Path:
    path = folder / "trace.csv"
    path.write_text("offset_s,requests\n" + text)
    return path


def test_a_trace_keeps_its_proportions_over_a_base_of_nothing_and_its_highest_second_is_the_peak(tmp_path):
    path = trace(tmp_path, "0,2\n1,0\n2,8\n3,4\n")
    assert rates("trace", base=0, peak=100, duration_s=4, trace=path) == [25, 0, 100, 50]
    assert rates("trace", base=10, peak=100, duration_s=2, trace=path) == [100, 10]
    assert rates("trace", base=0, peak=6, duration_s=2, trace=path, time_scale=2) == [1, 6]


def test_rows_of_minutes_are_spread_over_their_seconds(tmp_path):
    path = trace(tmp_path, "0,60\n60,120\n")
    assert trace_seconds(path) == 120
    found = rates("trace", base=0, peak=2, duration_s=120, trace=path)
    assert found == pytest.approx([1.0] * 60 + [2.0] * 60)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_each_trace_that_comes_with_it_can_be_replayed_to_its_end(path):
    seconds = trace_seconds(path)
    found = rates("trace", base=0, peak=50, duration_s=300, trace=path, time_scale=seconds / 300)
    assert max(found) == 50
    assert min(found) >= 0


def test_the_traces_that_come_with_it_are_three_and_small():
    assert len(SAMPLES) == 3
    assert sum(path.stat().st_size for path in SAMPLES) < 500_000


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"shape": "wave"}, "shape wave: expected one of constant, step, "),
        ({"base": -1}, "expected 0 <= base <= peak, came base -1 and peak 2"),
        ({"base": 3}, "expected 0 <= base <= peak"),
        ({"peak": math.nan}, "expected 0 <= base <= peak"),
        ({"peak": math.inf}, "expected 0 <= base <= peak"),
        ({"duration_s": 0}, "expected whole seconds from 1"),
        ({"period_s": 0}, "expected whole seconds from 1"),
        ({"shape": "trace"}, "expected a CSV of offset_s,requests, came none"),
        ({"shape": "trace", "trace": SAMPLES[0], "time_scale": 0}, "expected a time scale above 0"),
        ({"shape": "trace", "trace": SAMPLES[0], "time_scale": 1e9}, "it lasts "),
    ],
)
def test_arguments_that_make_no_load_are_refused_with_what_was_expected(change, problem):
    arguments = {"shape": "step", "base": 1, "peak": 2, "duration_s": 10} | change
    with pytest.raises(ArrivalError, match=problem):
        rates(**arguments)


@pytest.mark.parametrize("make", [counts, intended_ns])
def test_an_unknown_process_is_refused_with_those_there_are(make):
    with pytest.raises(ArrivalError, match="process burst: expected one of paced, poisson"):
        make([1], process="burst", seed=1)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_each_scenario_makes_a_load_from_its_base_to_its_peak(scenario):
    found = rates(
        scenario.shape,
        base=100 * scenario.base_of_knee,
        peak=100 * scenario.peak_of_knee,
        duration_s=scenario.duration_s,
        period_s=scenario.period_s,
        trace=scenario.trace_path,
        time_scale=scenario.time_scale,
    )
    assert max(found) == pytest.approx(100 * scenario.peak_of_knee, rel=0.02)
    assert min(found) == pytest.approx(100 * scenario.base_of_knee, abs=3 * scenario.peak_of_knee)
    assert (scenario.model == "work") == (scenario.work_iterations is not None)


def test_the_scenarios_have_the_names_that_the_proof_knows():
    assert {
        "step",
        "web-step",
        "spike",
        "ramp",
        "diurnal",
        "sawtooth",
        "soak",
        "overload",
        "web-ramp",
        "trace",
    } <= SCENARIOS.keys()
    assert all(name == scenario.name for name, scenario in SCENARIOS.items())
