"""One run from beginning to end: check, deploy, plan, load and look, judge, remove."""

import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic_ns

import arrivals
from tidegate_proof.engine.columns import Columns
from tidegate_proof.engine.generator import Generator, Limits
from tidegate_proof.engine.payload import Payload
from tidegate_proof.engine.target import Target
from tidegate_proof.live import address, preconditions, priority
from tidegate_proof.live.api import Api, ProxiedApi
from tidegate_proof.live.console import Console
from tidegate_proof.live.deployment import Tidegate, namespace
from tidegate_proof.live.journal import Clock, Journal
from tidegate_proof.live.kubectl import Kubectl
from tidegate_proof.live.observation import Load, Observation
from tidegate_proof.live.preconditions import Check, Need
from tidegate_proof.live.sizing import Sizing
from tidegate_proof.record.plan import Plan

STARTS_IN_S = 3.0
"""Between writing the plan and the first request: time for the first looks at everything."""

NS = 1_000_000_000


class UnmetError(Exception):
    """A precondition does not hold; the text says which, what was found, and what to do."""

    def __init__(self, unmet: Sequence[Check]) -> None:
        super().__init__("\n".join(f"✗ {check.name}: {check.found}. {check.advice}" for check in unmet))
        self.unmet = unmet


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where runs take place.

    Attributes:
        kubectl: The user's.
        manifests: `k8s` of a checkout.
        url: The gateway's address, where the user names one.
        keep: Whether the namespace stays.
    """

    kubectl: Kubectl
    manifests: Path
    url: str | None = None
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """Tidegate deployed and looked over.

    Attributes:
        api: Of the cluster.
        tidegate: The deployment.
        url: The gateway's address.
    """

    api: Api
    tidegate: Tidegate
    url: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What is run.

    Attributes:
        plan: What it is to show.
        counts: Arrivals in each second, warm-up included.
        payloads: What is sent, in turn.
    """

    plan: Plan
    counts: Sequence[int]
    payloads: Sequence[Payload]


@contextlib.asynccontextmanager
async def staged(place: Place, name: str, sizing: Sizing, need: Need, console: Console) -> AsyncIterator[Stage]:
    """Check, deploy, check again; the namespace is deleted on leaving, which takes a while longer (`deployment.gone`).

    Args:
        place: Where.
        name: Of the namespace; `deployment.name_for` makes one.
        sizing: How it is deployed.
        need: What must be there for it.
        console: Where a person looks, and may break it off.

    Raises:
        UnmetError: A precondition does not hold.
        StoppedError: Somebody asked to stop.
        KubectlError, DeployError, AddressError, ApiError, UnreachableError: It cannot be had.
    """
    stop = console.stop
    async with place.kubectl.proxy() as socket, ProxiedApi(socket) as api:
        checks = preconditions.before(api, need)
        tell(await stop.during(checks), console)
        async with namespace(place.kubectl, name, console.say, keep=place.keep):
            console.say(f"Deploying into the namespace {name} …")
            began = time.monotonic()
            tidegate = Tidegate(place.kubectl, api, name)
            await stop.during(tidegate.deploy(sizing, place.manifests, console.say))
            url = await stop.during(address.find(api, name, place.url))
            console.say(f"Deployed in {time.monotonic() - began:.0f} s; the gateway is {url}")
            tell(await stop.during(preconditions.after(url, await tidegate.autoscalers())), console)
            yield Stage(api, tidegate, url)


def tell(checks: Sequence[Check], console: Console) -> None:
    """Say what was checked.

    Raises:
        UnmetError: Some of it does not hold.
    """
    if unmet := [check for check in checks if not check.passed]:
        raise UnmetError(unmet)
    for check in checks:
        console.say(f"✓ {check.name}: {check.found}")


async def measure(stage: Stage, trial: Trial, folder: Path, console: Console) -> str | None:
    """Write the plan, run it, write down what happens.

    Args:
        stage: Where.
        trial: What.
        folder: Of the record; to be made.
        console: Where a person looks, and may break it off.

    Returns:
        None when the run came to its end, else why it did not.
    """
    plan, counts = trial.plan, trial.counts
    clock = Clock(monotonic_ns() + round(STARTS_IN_S * NS))
    with contextlib.closing(Journal(folder, plan, counts, clock, console.stop.request)) as journal:
        console.say(f"Plan {folder / 'plan.json'}, sha256 {plan.sha256()}")
        intended = arrivals.intended_ns(counts, process=plan.process, seed=plan.seed)
        columns = Columns(intended, plan.sha256()[:12])
        target = Target.of(f"{stage.url}/v1/models/{plan.model}:predict")
        generator = Generator(
            target, trial.payloads, columns, Limits(timeout_s=plan.timeout_s).for_load(max(counts, default=0))
        )
        with priority.raised():
            return await Observation(stage.api, plan, Load(columns, generator), journal, clock, console).run()


def new_folder(under: Path, name: str) -> Path:
    """Name a folder for a record; the time and a few digits make it one's own."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return under / f"{name}-{now}-{secrets.token_hex(2)}"
