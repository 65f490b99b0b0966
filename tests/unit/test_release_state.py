"""release.yaml says all there is, and what is wrong with it is told by its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release.state import Image, Model, Place, State, StateError, Volume, dump, load

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
VERSIONS = st.integers(1, 2**63 - 1)


@st.composite
def models(draw) -> Model:
    labels = {label: draw(VERSIONS) for label in ("stable", *draw(st.sets(st.sampled_from(["canary", "previous"]))))}
    weights = {label: draw(st.integers(1, 100)) for label in labels}
    digests = draw(st.dictionaries(VERSIONS, NAMES, max_size=2))
    volume = draw(st.none() | st.builds(Volume, NAMES, NAMES | st.just("")))
    return Model(draw(NAMES), labels, weights, digests, volume)


STATES = st.builds(
    State,
    base=NAMES,
    components=st.lists(NAMES, max_size=2).map(tuple),
    registry=NAMES | st.just(""),
    web=st.builds(Image, NAMES, NAMES | st.just("")),
    serving=st.builds(Image, NAMES),
    models=st.lists(models(), min_size=1, max_size=3, unique_by=lambda model: model.name).map(tuple),
    place=st.none() | st.builds(Place, NAMES, NAMES),
)


@given(STATES)
def test_what_is_written_is_read_back(state):
    assert load(dump(state)) == state


GOOD = """\
base: k8s/base
components: []
registry: ''
web: {tag: 0.1.0}
serving: {tag: 0.1.0}
models:
- {name: xor, labels: {stable: 1, canary: 2}, weights: {stable: 90, canary: 10}, digests: {}}
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("base: k8s/base", "bose: k8s/base", "base: expected, but it is not there"),
        ("stable: 90", "stable: -1", "models[0].weights.stable: expected a whole number from 0, came -1"),
        ("canary: 10", "previous: 10", "models[0].weights: expected weights of the labels above"),
        ("stable: 1,", "", "models[0].labels: expected one named stable"),
        ("canary: 2", "blue: 2", "models[0].labels: expected the labels stable, canary and previous, not blue"),
        ("name: xor", "name: 7", "models[0].name: expected a text, came 7"),
        ("web: {tag: 0.1.0}", "web: 0.1.0", "web: expected a mapping, came '0.1.0'"),
        ("digests: {}", "digests: {one: x}", "models[0].digests: expected a whole number from 1, came 'one'"),
        ("components: []", "components: capped", "components: expected a list, came 'capped'"),
        ("base:", "base: [", "expected YAML"),
    ],
)
def test_a_file_that_was_edited_wrongly_is_told_where(old, new, told):
    assert load(GOOD).model("xor").shares() == {1: 90, 2: 10}
    with pytest.raises(StateError) as refused:
        load(GOOD.replace(old, new))
    assert told in str(refused.value)


def test_a_model_that_is_not_deployed_is_told_with_those_that_are():
    with pytest.raises(StateError, match=r"NAME=xur: expected a model that is deployed, there are: xor"):
        load(GOOD).model("xur")
