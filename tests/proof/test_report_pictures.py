"""What pictures promise, whatever the figures."""

import math
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_proof.report import axes, course, curves, heat, reaction, timeline
from tidegate_proof.report.wording import clock, count, digits, duration, latency, visible

RUN = course.Course(
    120,
    [course.Span("warm-up", 0, 20, measured=False), course.Span("step", 20, 120, measured=True)],
    [(22.0, 31.0)],
)


def read(drawn: str) -> ET.Element:
    return ET.fromstring(drawn)  # noqa: S314 our own


def paths(drawn: str, style: str) -> list[str]:
    """The data of all paths of a style."""
    return [found.get("d", "") for found in read(drawn).iter("path") if found.get("class") == style]


@given(st.floats(1e-3, 1e12), st.integers(3, 6))
def test_a_linear_axis_holds_its_largest_value_with_few_ticks_and_little_room_above(most, ticks):
    end, step = axes.span(most, ticks)
    assert end >= most * (1 - 1e-9)
    assert end - step < most * (1 + 1e-9)
    assert 2 <= len(axes.linear(end, step)) <= ticks + 2


@given(st.floats(1e3, 1e9), st.floats(2, 1e5))
def test_a_logarithmic_axis_has_ticks_within_it_only(low, ratio):
    ticks = axes.decades(low, low * ratio)
    assert ticks == sorted(set(ticks))
    assert all(low <= tick <= low * ratio for tick in ticks)


@given(st.sets(st.integers(0, 300)))
def test_seconds_are_joined_into_spans_and_none_is_lost_or_added(seconds):
    spans = course.spans(seconds)
    assert {second for start, end in spans for second in range(int(start), int(end))} == seconds
    assert all(first[1] < second[0] for first, second in pairwise(spans))


@given(st.lists(st.none() | st.floats(0, 1e9), min_size=1, max_size=50), st.integers(1, 9))
def test_thinning_by_the_largest_never_hides_one(values, size):
    joined = course.grouped(values, size, max)
    known = [value for value in values if value is not None]
    assert len(joined) == math.ceil(len(values) / size)
    assert max((value for value in joined if value is not None), default=None) == max(known, default=None)


@pytest.mark.parametrize("seconds", [60, 600, 3_600, 36_000])
def test_a_line_never_has_more_points_than_a_screen(seconds):
    assert seconds / course.grain(seconds, course.POINTS) <= course.POINTS


def test_all_pictures_over_time_have_their_sides_at_the_same_places():
    pictures = [
        timeline.load(RUN, [100] * 120, [90] * 120),
        timeline.replicas(RUN, timeline.Replicas("serving", [(0, 1), (30, 3)], [(0, 1), (40, 3)])),
        timeline.pods(RUN, [timeline.PodRow("tidegate-web-1-abcde", "web", [400] * 24, 5)]),
        heat.latency(
            RUN,
            heat.Latency(heat.Heat(5, [10**6, 10**7], [[0, 9, 1]] * 24, [0] * 24), [5e6] * 120, [9e6] * 120, 1e8, 0.99),
        ),
    ]
    for variant in ("wide", "narrow"):
        drawn = [read(getattr(picture, variant)) for picture in pictures]
        assert len({image.get("viewBox", "").split()[2] for image in drawn}) == 1
        missed = [[box for box in image.iter("rect") if box.get("class") == "missed"] for image in drawn]
        assert {(box.get("x"), box.get("width")) for boxes in missed for box in boxes} != set()
        assert len({tuple((box.get("x"), box.get("width")) for box in boxes) for boxes in missed}) == 1


def test_a_second_without_answers_leaves_a_gap_in_the_latency():
    p99 = [9e6] * 50 + [None] * 20 + [9e6] * 50
    drawn = heat.latency(
        RUN, heat.Latency(heat.Heat(5, [10**6, 10**7], [[0, 9, 1]] * 24, [0] * 24), p99, p99, 1e8, 0.99)
    )
    (line,) = paths(drawn.wide, "line p99")
    assert line.count("M") == 2


def test_the_heat_map_shows_the_rarest_answer():
    counts = [[0, 100_000, 0]] * 23 + [[0, 99_999, 1]]
    drawn = heat.latency(
        RUN, heat.Latency(heat.Heat(5, [10**6, 10**7], counts, [0] * 24), [5e6] * 120, [9e6] * 120, 1e8, 0.99)
    )
    assert [box.count("z") for box in paths(drawn.wide, "cell heat shade-1")] == [1]


def test_heat_maps_of_a_run_without_any_answer_are_drawn():
    empty = heat.Heat(5, [10**6, 10**7], [[0, 0, 0]] * 24, [9] * 24)
    drawn = heat.latency(RUN, heat.Latency(empty, [None] * 120, [None] * 120, 1e8, 0.99))
    assert not paths(drawn.wide, "line p99")
    (never,) = paths(drawn.wide, "cell never")
    assert never.count("z") == 24


def test_a_scale_up_tells_the_seconds_of_each_step_and_of_a_pod_that_never_came():
    pods = [reaction.NewPod("a-b-x1x1x", 11, 15.25, 16), reaction.NewPod("a-b-y2y2y", 11, None, None)]
    event = reaction.ScaleUp("serving", 1, 3, 60, load_changed=True, decided_s=10.5, pods=pods, slo_back_s=31)
    words = "".join(read(reaction.reaction([event]).wide).itertext())
    for told in ("load changed at 1:00", "decided 10.5 s", "Ready 15.2 s", "first answer never", "met again 31.0 s"):
        assert told in words


def test_pods_past_those_that_are_drawn_are_counted():
    pods = [reaction.NewPod(f"p-{number}", 1, 2, 3) for number in range(30)]
    drawn = reaction.reaction(
        [reaction.ScaleUp("web", 1, 31, 0, load_changed=True, decided_s=1, pods=pods, slo_back_s=None)]
    )
    assert "and 22 more pods" in "".join(read(drawn.wide).itertext())


def test_a_knee_step_that_does_not_count_is_hollow_and_says_so():
    steps = [curves.KneeStep(10, 10, 2e7, valid=True), curves.KneeStep(20, 12, 9e8, valid=False)]
    drawn = curves.knee(steps, 10, 1e8, "One replica").wide
    assert drawn.count('class="dot good hollow"') == drawn.count('class="dot p99 hollow"') == 1
    assert "does not count" in drawn


def test_one_point_of_efficiency_is_drawn_without_a_law():
    assert "usl" not in curves.efficiency([curves.Measured(1, 100.0, saturated=True)], None, None).wide


@given(st.text(max_size=40))
def test_whatever_a_name_holds_a_picture_stays_well_formed_and_holds_it_as_text(name):
    drawn = timeline.pods(RUN, [timeline.PodRow(name, "web", [400] * 24, 5)]).wide
    image = read(drawn)
    assert {element.tag for element in image.iter()} <= {"svg", "title", "desc", "g", "path", "rect", "text"}
    assert any(visible(name).replace("\r", "") in "".join(title.itertext()) for title in image.iter("title"))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (digits(1234.5), "1\u202f234"),
        (digits(0.012345), "0.0123"),
        (digits(999.96), "1\u202f000"),
        (digits(-0.5), "-0.5"),
        (count(1234567), "1\u202f234\u202f567"),
        (latency(1_234_567), "1.23 ms"),
        (latency(2.5e9), "2.5 s"),
        (latency(0), "0"),
        (latency(None), "\u2013"),
        (clock(59.6), "1:00"),
        (clock(3725), "62:05"),
        (duration(95), "95 s"),
        (duration(300), "5 min"),
        (visible("a\u202eb\x00c\ud800"), "a\ufffdb\ufffdc\ufffd"),
    ],
)
def test_figures_read_the_same_everywhere(written, expected):
    assert written == expected
