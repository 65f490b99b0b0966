"""One scenario on a cluster, from what was asked for to a sealed record."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tidegate_hpa.knee import read
from tidegate_proof.live.conclusion import conclude, words
from tidegate_proof.live.console import Console
from tidegate_proof.live.deployment import gone, name_for
from tidegate_proof.live.preconditions import Need
from tidegate_proof.live.session import Place, Stage, measure, staged
from tidegate_proof.live.sizing import HEADROOM, Sizing, Tier, fitted, planned
from tidegate_proof.live.trials import Order, prepare
from tidegate_proof.record.knee import KNEE
from tidegate_proof.record.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What the autoscaler of the model servers is told.

    Attributes:
        images: `NAME:TAG` in place of the manifests' own, by tier.
        pending: Whether they can be scaled on pending predictions, beside CPU.
        headroom: Share of a pod's capacity that is left free at its target.
    """

    images: Mapping[Tier, str]
    pending: bool
    headroom: float = HEADROOM

    def sizing(self, order: Order) -> Sizing:
        """Return how an order is deployed: by a plan where there is a knee.

        Raises:
            InputError: The knee is not good enough to plan with.
        """
        scenario = order.scenario
        sized = fitted(scenario.tier, scenario.model, images=self.images)
        if order.knee_file is not None:
            slo_s = order.terms.slo.latency_ms / 1e3
            limit = sized.pods[scenario.tier].cpu_m / 1000  # where nobody measured what a replica uses at its knee
            sized = planned(sized, read(order.knee_file, limit), slo_s, headroom=self.headroom, pending=self.pending)
        if scenario.added_every_s is not None:
            sized = sized.one_every(scenario.added_every_s)
        return sized.broken(order.control, scenario.tier)


async def has_keda(place: Place) -> bool:
    """Whether the cluster has KEDA, by its custom resource.

    Raises:
        KubectlError: The cluster does not answer.
    """
    said = await place.kubectl.run("get", "crd", "scaledobjects.keda.sh", "--ignore-not-found", "-o", "name")
    return bool(said.strip())


def need_of(order: Order, sizing: Sizing, output: Path) -> Need:
    """Return what an order needs of this machine and of the cluster, at most."""
    shape = order.shape()
    seconds = shape.duration_s + order.terms.warm_up_s
    return Need(output, requests=round(shape.peak * seconds), peak_rps=shape.peak, cpu_m=sizing.cpu_m())


async def perform(order: Order, place: Place, signals: Signals, folder: Path, console: Console) -> Verdict:
    """Run an order in a namespace of its own.

    Args:
        order: What.
        place: Where.
        signals: What the autoscaler is told.
        folder: Of the record; to be made.
        console: Where a person looks, and may break it off.

    Raises:
        UnmetError, StoppedError, OrderError, InputError: There was no run.
        KubectlError, DeployError, AddressError, ApiError, UnreachableError: The cluster, before the run.
        OSError: The record could not be made.
    """
    name, sizing = name_for(order.scenario.name), signals.sizing(order)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        async with staged(place, name, sizing, need_of(order, sizing, folder.parent), console) as stage:
            await perform_on(stage, order, folder, console)
        return judged(order, folder, console)
    finally:
        if not place.keep:
            console.say(f"Waiting until the namespace {name} is gone …")
            await gone(place.kubectl, [name], console.say)


async def perform_on(stage: Stage, order: Order, folder: Path, console: Console) -> None:
    """Run an order on what is deployed; the record has no verdict yet, and a copy of the knee that its plan names."""
    trial = await console.stop.during(prepare(order, stage))
    reason = await measure(stage, trial, folder, console)
    if order.knee_file is not None:
        shutil.copyfile(order.knee_file, folder / KNEE)
    if reason is not None:
        console.say(f"Broken off: {reason}")


def judged(order: Order, folder: Path, console: Console) -> Verdict:
    """Judge a record, and say what it shows."""
    began = time.monotonic()
    verdict = conclude(folder)
    for line in words(verdict, control=order.control is not None):
        console.say(line)
    console.say(f"Judged in {time.monotonic() - began:.0f} s. Open {folder / 'report.html'}")
    console.say(f"Anybody can check it: tidegate-proof verify {folder}")
    return verdict
