"""Each command's steps: what clients get in each, and that pods from before and after a step agree on it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release.state import Image, Model, State, Volume
from release.transitions import Candidate, TransitionError, canary, deploy, promote, release, roll_back

ONE, TWO, THREE = (Candidate("xor", number, f"{number:064x}") for number in (1, 2, 3))


def deployed() -> Model:
    return ONE.model()


def released() -> Model:
    return release(deployed(), TWO)


def promoted() -> Model:
    return promote(released())[-1]


def view(model: Model) -> tuple[dict[str, int], dict[int, int]]:
    return dict(model.labels), model.shares()


FIRST = {"stable": 1, "canary": 2}
LABELLED = {"stable": 2, "canary": 2, "previous": 1}
BACK = {"stable": 1, "canary": 2, "previous": 1}
PROMOTED_AGAIN = promote(roll_back(promoted(), loaded=True)[-1])

TABLE = {
    "deploy": ([deployed()], [({"stable": 1}, {1: 100})]),
    "release": ([released()], [(FIRST, {1: 100})]),
    "canary": ([canary(released(), 10)], [(FIRST, {1: 90, 2: 10})]),
    "canary of nobody": ([canary(released(), 0)], [(FIRST, {1: 100})]),
    "promote": (promote(canary(released(), 10)), [(FIRST, {2: 100}), (LABELLED, {2: 100}), (LABELLED, {2: 100})]),
    "roll a canary back": (roll_back(canary(released(), 10), loaded=True), [(FIRST, {1: 100})]),
    "roll a promotion back": (
        roll_back(promoted(), loaded=True),
        [(LABELLED, {1: 100}), (BACK, {1: 100}), (BACK, {1: 100})],
    ),
    "take away what does not load": (roll_back(released(), loaded=False), [({"stable": 1}, {1: 100})]),
    "release the next": ([release(promoted(), THREE)], [({"stable": 2, "canary": 3}, {2: 100})]),
    "promote again": (PROMOTED_AGAIN, [(BACK, {2: 100}), (LABELLED, {2: 100}), (LABELLED, {2: 100})]),
}


@pytest.mark.parametrize(("steps", "views"), TABLE.values(), ids=TABLE)
def test_a_command_leads_clients_step_by_step(steps, views):
    assert [view(step) for step in steps] == views


@pytest.mark.parametrize("steps", [promote(canary(released(), 10)), roll_back(promoted(), loaded=True)])
def test_what_is_interrupted_goes_on_from_where_it_was(steps):
    """The same command again ends where the first would have, and takes no client to another version on the way."""
    again = promote if steps[-1].stable == 2 else lambda model: roll_back(model, loaded=True)
    for number, step in enumerate(steps[:-1]):
        rest = again(step)
        assert view(rest[-1]) == view(steps[-1])
        assert all(left.shares() == step.shares() for left in rest), number


def test_a_promotion_that_was_interrupted_can_be_taken_back():
    moved, labelled, _ = promote(released())
    assert view(roll_back(moved, loaded=True)[-1]) == ({"stable": 1, "canary": 2}, {1: 100})
    assert view(roll_back(labelled, loaded=True)[-1]) == (BACK, {1: 100})


def test_a_second_run_changes_nothing():
    assert release(released(), TWO) == released()
    assert promote(promoted()) == []
    assert canary(canary(released(), 30), 30) == canary(released(), 30)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (lambda: canary(deployed(), 10), "has no new version: make release"),
        (lambda: canary(promoted(), 10), "has no new version: make release"),
        (lambda: promote(deployed()), "has no new version: make release"),
        (lambda: release(deployed(), ONE), "stable already"),
        (lambda: release(deployed(), Candidate("xor", 1, "f" * 64)), "with other content: expected another number"),
        (lambda: release(canary(released(), 10), THREE), "has clients: first make promote"),
        (lambda: release(deployed(), Candidate("xor", 2, volume=Volume("models"))), "lies in the image"),
        (lambda: promote(roll_back(promoted(), loaded=True)[0]), "end that first with make rollback"),
        (lambda: roll_back(released(), loaded=True), "nothing to roll back"),
        (lambda: roll_back(deployed(), loaded=False), "nothing to roll back"),
    ],
)
def test_a_command_that_does_not_fit_says_what_does(command, told):
    with pytest.raises(TransitionError, match=told):
        command()


def meanings(model: Model) -> dict[str, int]:
    return {label: model.labels[label] for label, weight in model.weights.items() if weight}


COMMANDS = st.sampled_from(["release", "canary", "promote", "roll back", "roll back unloaded"])


@given(st.lists(COMMANDS, max_size=12))
def test_pods_from_before_and_after_a_step_mean_the_same_by_every_label_with_clients(commands):
    """Also for gateways that have not read the step's weights yet."""
    model, newest = deployed(), 1
    for command in commands:
        try:
            match command:
                case "release":
                    newest += 1
                    steps = [release(model, Candidate("xor", newest, f"{newest:064x}"))]
                case "canary":
                    steps = [canary(model, 10)]
                case "promote":
                    steps = promote(model)
                case _:
                    steps = roll_back(model, loaded=command == "roll back")
        except TransitionError:
            continue
        for step in steps:
            for label, version in (meanings(model) | meanings(step)).items():
                assert model.labels[label] == step.labels[label] == version
            assert set(step.weights) <= set(step.labels)
            assert sum(step.weights.values()) == 100
            assert set(step.versions) <= set(step.digests)
            model = step


def examples() -> State:
    models = (
        Model("and_gate", {"stable": 1}, {"stable": 100}, {}),
        Model("digits", {"stable": 1}, {"stable": 100}, {}),
    )
    return State("k8s/base", (), "", Image("0.1.0"), Image("0.1.0"), models)


def test_a_model_of_ones_own_takes_the_examples_place_and_stands_beside_others_of_ones_own():
    state = deploy(examples(), ONE)
    assert [model.name for model in state.models] == ["xor"]
    state = deploy(state, Candidate("other", 1, volume=Volume("models", "other")))
    assert [model.name for model in state.models] == ["xor", "other"]
    assert deploy(state, ONE) == state
    with pytest.raises(TransitionError, match="make release NAME=xor MODEL=… VERSION=2"):
        deploy(state, TWO)
    with pytest.raises(TransitionError, match="another content under that number"):
        deploy(examples(), Candidate("and_gate", 1, "f" * 64))
