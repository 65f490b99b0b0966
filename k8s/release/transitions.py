"""What each command makes of what is deployed. Pure: a state in, the states after it out, in the order to take.

While a step that changes labels or versions is rolled out, model servers from before and after it answer side by side.
So each step's weights name only labels that mean the same version to both; a test walks every step to see that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from release.state import CANARY, PREVIOUS, STABLE, Model, State, Volume

ALL = 100
"""The weights of a model add up to this."""


class TransitionError(Exception):
    """A command that does not fit what is deployed; the text says what does."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version of a model that is to be served.

    Attributes:
        name: What to serve the model as.
        version: Its number.
        digest: The hash of its content, or empty where it lies on a volume.
        volume: That volume.
    """

    name: str
    version: int
    digest: str = ""
    volume: Volume | None = None

    def model(self) -> Model:
        """Return a model with this version alone."""
        digests = {self.version: self.digest} if self.digest else {}
        return Model(self.name, {STABLE: self.version}, {STABLE: ALL}, digests, self.volume)


def deploy(state: State, candidate: Candidate) -> State:
    """Serve a model of the user's: in the place of the examples, or beside the user's others.

    Raises:
        TransitionError: The model is deployed with another version or content.
    """
    there = next((model for model in state.models if model.name == candidate.name), None)
    if there is None:
        own = tuple(model for model in state.models if _is_own(model))
        return replace(state, models=(*own, candidate.model()))
    if not _has(there, candidate):
        kind = "version" if candidate.version not in there.versions else "content under that number"
        raise TransitionError(
            f"{candidate.name} is deployed with another {kind} (stable is {there.stable}). "
            f"A new version of it: make release NAME={candidate.name} MODEL=… VERSION={max(there.versions) + 1}"
        )
    return state


def release(model: Model, candidate: Candidate) -> Model:
    """Serve a new version beside the stable one, to those only who ask for it.

    Raises:
        TransitionError: It is the stable one, or another one has clients, or it lies elsewhere.
    """
    _not_while_rolling_back(model)
    if candidate.volume != model.volume:
        came, there = (volume or "the image" for volume in (candidate.volume, model.volume))
        raise TransitionError(f"{model.name} lies in {there}: expected the new version there too, came {came}")
    if candidate.version == model.stable:
        if _has(model, candidate):
            raise TransitionError(f"version {candidate.version} of {model.name} is stable already")
        raise TransitionError(
            f"version {candidate.version} of {model.name} is the stable one, with other content: "
            f"expected another number, such as VERSION={max(model.versions) + 1}"
        )
    if model.labels.get(CANARY) == candidate.version and _has(model, candidate):
        return model
    if model.weights.get(CANARY):
        raise TransitionError(
            f"version {model.labels[CANARY]} of {model.name} has clients: first make promote NAME={model.name}, "
            f"or make rollback NAME={model.name}"
        )
    digests = {number: digest for number, digest in model.digests.items() if number == model.stable}
    if candidate.digest:
        digests[candidate.version] = candidate.digest
    labels = {STABLE: model.stable, CANARY: candidate.version}
    return replace(model, labels=labels, weights={STABLE: ALL, CANARY: 0}, digests=digests)


def canary(model: Model, percent: int) -> Model:
    """Send a share of the clients to the new version.

    Raises:
        TransitionError: There is none.
    """
    _not_while_rolling_back(model)
    if not _has_canary(model):
        raise TransitionError(f"{model.name} has no new version: make release NAME={model.name} MODEL=… VERSION=…")
    return replace(model, weights={STABLE: ALL - percent, CANARY: percent})


def promote(model: Model) -> list[Model]:
    """Make the new version the stable one: first its clients, then its label. No steps where it is.

    Raises:
        TransitionError: There is no new version.
    """
    _not_while_rolling_back(model)
    if not _has_canary(model):
        if model.weights.get(CANARY):  # labelled, but its clients still come by the other label
            return [_settled(model)]
        if CANARY in model.labels:
            return []
        raise TransitionError(f"{model.name} has no new version: make release NAME={model.name} MODEL=… VERSION=…")
    moved = replace(model, weights={CANARY: ALL})
    new = model.labels[CANARY]
    labelled = replace(moved, labels={STABLE: new, CANARY: new, PREVIOUS: model.stable})
    return [moved, labelled, _settled(labelled)]


def roll_back(model: Model, *, loaded: bool) -> list[Model]:
    """Take the last step back: clients from a new version, or all to the version before.

    Args:
        model: The model.
        loaded: Whether the model servers have what the state says; a release that does not come up is taken away.

    Raises:
        TransitionError: There is nothing to go back to.
    """
    stable, new, previous = (model.labels.get(label) for label in (STABLE, CANARY, PREVIOUS))
    begun = model.weights.get(PREVIOUS)  # before, and not ended
    half_promoted = new == stable and model.weights.get(CANARY)
    if previous is not None and (begun or half_promoted):
        relabelled = replace(model, labels={**model.labels, STABLE: previous})
        return [relabelled, _settled(relabelled)]
    if model.weights.get(CANARY):
        return [_settled(model)]
    if previous is not None and previous != stable:
        moved = replace(model, weights={PREVIOUS: ALL})
        relabelled = replace(moved, labels={**model.labels, STABLE: previous})
        return [moved, relabelled, _settled(relabelled)]
    if new is not None and not loaded:
        digests = {number: digest for number, digest in model.digests.items() if number != new}
        return [replace(model, labels={STABLE: model.stable}, weights={STABLE: ALL}, digests=digests)]
    raise TransitionError(f"nothing to roll back: all clients of {model.name} go to version {model.stable} already")


def _settled(model: Model) -> Model:
    """Return the model with all clients on its stable label."""
    weights = {STABLE: ALL, CANARY: 0} if _has_canary(model) else {STABLE: ALL}
    return replace(model, weights=weights)


def _has_canary(model: Model) -> bool:
    return model.labels.get(CANARY, model.stable) != model.stable


def _has(model: Model, candidate: Candidate) -> bool:
    same = candidate.version in model.versions and model.volume == candidate.volume
    return same and model.digests.get(candidate.version, "") == candidate.digest


def _is_own(model: Model) -> bool:
    return bool(model.digests) or model.volume is not None


def _not_while_rolling_back(model: Model) -> None:
    if model.weights.get(PREVIOUS):
        raise TransitionError(f"{model.name} is being rolled back: end that first with make rollback NAME={model.name}")


def after(state: State, steps: Sequence[Model]) -> list[State]:
    """Return the state after each step of a model."""
    return [state.with_model(step) for step in steps]
