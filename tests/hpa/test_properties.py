"""What holds for every HPA, whatever it is fed."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tidegate_hpa.autoscaler import Behavior, Policy, ScalingRules
from tidegate_hpa.memory import Memory, Recommendation, ScaleEvent
from tidegate_hpa.normalization import (
    Bounds,
    normalize_desired_replicas,
    normalize_desired_replicas_with_behaviors,
)
from tidegate_hpa.proposal import Sample, calc_replicas
from tidegate_hpa.settings import Tolerances
from tidegate_hpa.timestamps import SECOND
from tidegate_hpa.usage import Tally, get_resource_utilization_ratio

ages = st.integers(0, 700)
replicas = st.integers(1, 200)
policies = st.builds(
    Policy, st.sampled_from(["Pods", "Percent"]), st.integers(1, 200), st.sampled_from([15, 30, 60, 300])
)


def rules(windows: st.SearchStrategy[int]) -> st.SearchStrategy[ScalingRules]:
    return st.builds(
        ScalingRules,
        windows,
        st.sampled_from(["Max", "Min", "Disabled"]),
        st.lists(policies, min_size=1, max_size=3).map(tuple),
    )


behaviors = st.builds(Behavior, rules(st.sampled_from([0, 30, 300])), rules(st.sampled_from([0, 30, 300])))
memories = st.builds(
    Memory,
    st.lists(st.builds(Recommendation, replicas, ages), max_size=4).map(tuple),
    st.lists(st.builds(ScaleEvent, st.integers(1, 20), ages), max_size=3).map(tuple),
    st.lists(st.builds(ScaleEvent, st.integers(1, 20), ages), max_size=3).map(tuple),
)
bounds = st.tuples(replicas, replicas, replicas).map(sorted).map(lambda three: Bounds(three[1], three[0], three[2]))


@given(memories, bounds, st.integers(0, 1000), behaviors)
def test_the_answer_stays_within_min_and_max(memory, bound, recommendation, behavior):
    plain = normalize_desired_replicas(memory, bound, recommendation, 300 * SECOND)
    shaped = normalize_desired_replicas_with_behaviors(memory, bound, recommendation, behavior)
    assert bound.minimum <= plain.limited <= bound.maximum
    assert bound.minimum <= shaped.limited <= bound.maximum


@given(memories, bounds, st.integers(0, 1000), st.integers(0, 1000), behaviors)
def test_asking_for_more_never_gives_less(memory, bound, one, other, behavior):
    low, high = sorted((one, other))
    few = normalize_desired_replicas_with_behaviors(memory, bound, low, behavior)
    many = normalize_desired_replicas_with_behaviors(memory, bound, high, behavior)
    assert few.limited <= many.limited
    assert (
        normalize_desired_replicas(memory, bound, low, 300 * SECOND).limited
        <= normalize_desired_replicas(memory, bound, high, 300 * SECOND).limited
    )


@given(memories, bounds, st.integers(0, 1000), behaviors, st.integers(0, 100))
def test_a_looser_policy_is_never_slower(memory, bound, recommendation, behavior, more):
    def loosened(side: ScalingRules) -> ScalingRules:
        return replace(side, policies=tuple(replace(policy, value=policy.value + more) for policy in side.policies))

    loose = Behavior(loosened(behavior.scale_up), loosened(behavior.scale_down))
    tight = normalize_desired_replicas_with_behaviors(memory, bound, recommendation, behavior)
    free = normalize_desired_replicas_with_behaviors(memory, bound, recommendation, loose)
    assert abs(free.limited - bound.current) >= abs(tight.limited - bound.current)


@given(st.integers(1, 500), st.integers(1, 10_000), st.integers(1, 200), st.integers(0, 200), st.floats(0, 0.5))
def test_nothing_moves_inside_the_tolerance(pods, request, target, percent, tolerance):
    sample = Sample(ready_count=pods, measured=Tally(percent * request * pods // 100, request * pods, pods, pods))
    tolerances = Tolerances(tolerance, tolerance)
    proposal = calc_replicas(pods, sample, lambda tally: get_resource_utilization_ratio(tally, target), tolerances)
    if tolerances.is_within(proposal.current.ratio):
        assert proposal.replicas == pods
    else:
        assert (proposal.replicas >= pods) if proposal.current.ratio > 1 else (proposal.replicas <= pods)


@given(st.integers(1, 100), st.integers(0, 100), st.integers(0, 100), st.integers(1, 300), st.integers(0, 600))
def test_pods_without_figures_never_make_it_bolder(ready, missing, unready, target, percent):
    measured = Tally(percent * ready, 100 * ready, ready, ready)
    known = Sample(ready, measured)
    unknown = Sample(
        ready,
        measured,
        Tally(0, 100 * missing, missing, missing),
        missing * max(100, target),
        Tally(0, 100 * unready, unready, unready),
    )
    current = ready + missing + unready

    def ask(sample: Sample) -> int:
        return calc_replicas(
            current, sample, lambda tally: get_resource_utilization_ratio(tally, target), Tolerances(0.1, 0.1)
        ).replicas

    if ask(unknown) > current:
        assert ask(unknown) <= ask(known) + missing + unready
    if missing and ask(unknown) < current:
        assert ask(unknown) >= min(ask(known), current)
