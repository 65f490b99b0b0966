"""What each verb does."""

import os
import subprocess
from dataclasses import replace

from release import cluster, images, rollout, transitions
from release.candidate import Found, look, signatures
from release.checkout import LOADTEST
from release.cluster import ClusterError, LoadFailedError
from release.comparison import compare
from release.images import ImageError
from release.session import Session
from release.state import CANARY, PREVIOUS, Image, Model, State
from release.transitions import TransitionError
from tidegate_serving.model_source import ModelSourceError


def deploy(session: Session) -> None:
    """Deploy this checkout, with the user's model where one is named."""
    before = session.deployed(elsewhere=bool(session.given("FORCE")))
    found = _found(session, next_version=1) if session.given("MODEL") else None
    if found is None and session.given("NAME"):
        raise ModelSourceError(f"NAME={session.given('NAME')} goes with MODEL=path/to/saved_model")
    components = session.checkout.components(session.given("COMPONENTS"))
    state = replace(
        before,
        base=session.checkout.base(session.given("OVERLAY")) or before.base,
        components=before.components if components is None else components,
        registry=session.given("REGISTRY").rstrip("/") or before.registry,
        web=before.web.moved(session.given("WEB_VERSION") or session.checkout.version("web")),
    )
    if found is not None:
        state = transitions.deploy(state, found.candidate)
    state = _tagged(session, before, state)
    if found is not None:
        _try(session, found)
    load = ["loadtest"] if LOADTEST in state.components else []
    if not session.given("SKIP_BUILD"):
        web = ["web"] if state.web.tag == session.checkout.version("web") else []
        _build(session, "serving", *web, *load)
    _hand_over(session, state, images.local("web", state.web.tag))
    for image in load:
        _hand_over(session, state, images.local(image, session.checkout.version(image)))
    _bring(session, before, state, found)
    rollout.apply_shared(session.checkout.root / state.base / "cluster", session.tell)
    try:
        session.settle(state, _cards(found))
    except ClusterError as error:
        if state.web == before.web:
            raise
        raise ClusterError(f"{error}\nBack to the gateway before, {before.web.tag}: make rollback TIER=web") from None
    _report(session, state)


def release(session: Session) -> None:
    """Serve a new version beside the stable one."""
    before = session.deployed()
    model = before.model(session.given("NAME"))
    if not session.given("MODEL") and model.volume is None:
        raise ModelSourceError(f"expected where the new version is: make release NAME={model.name} MODEL=path")
    found = _found(session, next_version=max(model.versions) + 1, default=str(model.volume or ""))
    released = transitions.release(model, found.candidate)
    new = released.labels[CANARY]
    _try(session, found)
    state = before
    if released != model:
        state = _tagged(session, before, before.with_model(released))
        if found.new is not None:
            if not images.is_here(images.local("serving", session.checkout.version("serving"))):
                _build(session, "serving")
            _bring(session, before, state, found)
    try:
        session.settle(state, _cards(found))
    except ClusterError as error:
        if isinstance(error, LoadFailedError):
            for line in cluster.say_why_not_loaded():
                session.tell(line)
        raise ClusterError(
            f"{error}\nVersion {released.stable} of {model.name} keeps serving. "
            f"Take version {new} away again: make rollback NAME={model.name}"
        ) from None
    _report(session, state)
    session.tell(
        f"Only who asks for it gets version {new}: /v1/models/{model.name}/labels/{CANARY}:predict, or the form"
    )
    session.tell(f"Next: make compare-versions NAME={model.name} VERSIONS={released.stable},{new} HOST=http://ADDRESS")
    session.tell(f"      make canary NAME={model.name} PERCENT=10")


def canary(session: Session) -> None:
    """Send a share of the clients to the new version."""
    state = session.deployed()
    model = state.model(session.given("NAME"))
    percent = session.given("PERCENT").removesuffix("%")
    if not percent.isascii() or not percent.isdigit() or int(percent) > transitions.ALL:
        raise TransitionError(f"PERCENT={percent or '(nothing)'}: expected a whole number from 0 to {transitions.ALL}")
    changed = transitions.canary(model, int(percent))
    session.settle(state)  # its clients come when every model server has it
    session.walk([state.with_model(changed)])
    _report(session, state.with_model(changed))


def promote(session: Session) -> None:
    """Make the new version the stable one, if it answers as the old one does."""
    state = session.deployed()
    model = state.model(session.given("NAME"))
    steps = transitions.promote(model)
    session.settle(state)
    if not steps:
        session.tell(f"Version {model.stable} of {model.name} is stable already")
    elif not session.given("FORCE") and model.labels[CANARY] != model.stable:
        compare(session.checkout, model, session.environment)
    session.walk(transitions.after(state, steps))
    _report(session, state.with_model(steps[-1] if steps else model))


def roll_back(session: Session) -> None:
    """Go back: with a model by its weights first, with the gateway by its image."""
    state = session.deployed()
    if session.given("TIER"):
        _roll_back_tier(session, state)
        return
    model = state.model(session.given("NAME"))
    steps = transitions.roll_back(model, loaded=rollout.is_tier_rolled_out("serving") and _is_loaded(model))
    after = transitions.after(state, steps)
    if CANARY not in steps[-1].labels and state.serving.previous:  # a release that did not come up: its image goes too
        after = [replace(step, serving=Image(state.serving.previous)) for step in after]
    session.settle(after[0])  # at once
    session.walk(after[1:])
    _report(session, after[-1])


def registry(session: Session) -> None:
    """Write into the folder where the images are, and no more."""
    state = session.checkout.deployed()
    named = session.given("REGISTRY").rstrip("/")
    if not named:
        raise TransitionError("expected REGISTRY=registry.example/team")
    session.checkout.write(replace(state, registry=named), {})
    folder = os.path.relpath(session.checkout.own)
    session.tell(f"Wrote {folder}. Next: kubectl apply -k {folder}")


def _roll_back_tier(session: Session, state: State) -> None:
    if (tier := session.given("TIER")) != "web":
        raise TransitionError(f"TIER={tier}: expected web; the models' versions go back with NAME=…")
    tag = session.given("TO") or state.web.previous
    if not tag:
        raise TransitionError(f"nothing is known to have run before {state.web.tag}: name it with TO=version")
    after = replace(state, web=state.web.moved(tag))
    _hand_over(session, after, images.local("web", tag))
    session.settle(after)
    _report(session, after)


def _found(session: Session, next_version: int, default: str = "") -> Found:
    named = session.given("MODEL") or default
    return look(
        named, session.given("NAME"), session.given("VERSION"), next_version, session.checkout.root / "build/links"
    )


def _try(session: Session, found: Found) -> None:
    """Refuse what the model servers could not load, before anything is built."""
    if found.new is not None and not session.given("SKIP_TRIAL"):
        session.tell(f"Trying {found.new.folder} …")
        names = ", ".join(signatures(found.new.folder))
        session.tell(f"Version {found.new.version} of {found.new.name} loads; it can be asked for {names}")


def _cards(found: Found | None) -> dict[str, str]:
    return {found.candidate.name: found.card} if found is not None and found.card else {}


def _tagged(session: Session, before: State, state: State) -> State:
    """Name the serving image, anew only where something else is to be in it: another name rolls the model servers."""
    version = session.checkout.version("serving")
    if state.models == before.models and images.server_version(before.serving.tag) == version:
        return state
    return replace(state, serving=state.serving.moved(images.tag_of(version, state.models)))


def _build(session: Session, *tiers: str) -> None:
    """Build this checkout's images."""
    environment = {**session.environment, "IMAGES": " ".join(tiers)}
    if subprocess.run([session.checkout.root / "k8s/images.sh"], check=False, env=environment).returncode != 0:
        raise ImageError("the images were not built: the lines above say why")


def _bring(session: Session, before: State, after: State, found: Found | None) -> None:
    """Put the user's models into the serving image, where they go there, and hand that to the cluster."""
    image = images.local("serving", after.serving.tag)
    if any(model.digests for model in after.models) and not (session.given("SKIP_BUILD") and images.is_here(image)):
        session.tell(f"Building {image} …")
        images.build(before, after, session.checkout.version("serving"), None if found is None else found.new)
    _hand_over(session, after, image)


def _hand_over(session: Session, state: State, image: str) -> None:
    if images.is_here(image):
        cluster.hand_over(image, state.registry, session.environment)
    else:
        session.tell(f"{image} is not here: the cluster must have it, or be able to pull it")


def _is_loaded(model: Model) -> bool:
    """Whether the model servers in use have every version."""
    try:
        return not any(cluster.disagreement(model, gateway) for gateway in cluster.gateways())
    except LoadFailedError:
        return False


def _report(session: Session, state: State) -> None:
    for line in cluster.describe(state.models):
        session.tell(line)
    session.tell(f"images: {state.image('web')}  {state.image('serving')}")
    for model in state.models:
        if model.labels.get(PREVIOUS, model.stable) != model.stable:
            session.tell(f"Back to the version before: make rollback NAME={model.name}")
