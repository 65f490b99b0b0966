"""Tidegate in a namespace of its own: made, waited for, removed."""

import asyncio
import contextlib
import re
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tidegate_proof.live import manifests
from tidegate_proof.live.api import Api, Object
from tidegate_proof.live.kubectl import Kubectl, KubectlError
from tidegate_proof.live.objects import (
    AUTOSCALER,
    DEPLOYMENT,
    POD,
    condition,
    is_ready,
    is_rolling,
    stuck,
    tier_of,
    unknown_metrics,
)
from tidegate_proof.live.sizing import TIERS, Sizing, Tier

READY_S = 240.0
REMOVED_S = 180.0
LOOK_S = 1.0
TOLD_S = 10.0

Say = Callable[[str], None]


class DeployError(Exception):
    """Tidegate does not come up; the text says what was seen last."""


def name_for(scenario: str) -> str:
    """Return a namespace's name that no other run has."""
    return f"tidegate-proof-{re.sub('[^a-z0-9]+', '-', scenario.lower())[:30]}-{secrets.token_hex(3)}"


@contextlib.asynccontextmanager
async def namespace(kubectl: Kubectl, name: str, say: Say, *, keep: bool) -> AsyncIterator[str]:
    """Make a namespace that admits nothing below Pod Security `restricted`; deleted on leaving, unless it is kept.

    Raises:
        KubectlError: The cluster refused.
    """
    await kubectl.run("create", "namespace", name)
    try:
        await kubectl.run(
            *("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted"),
            "app.kubernetes.io/managed-by=tidegate-proof",
        )
        yield name
    finally:
        if keep:
            say(f"Kept the namespace {name}; remove it by: kubectl delete namespace {name}")
        else:
            # Shielded: an impatient second Ctrl-C must not leave pods behind
            await asyncio.shield(_delete(kubectl, name, say))


async def gone(kubectl: Kubectl, names: Iterable[str], say: Say) -> None:
    """Wait until namespaces that are being deleted are gone, or say how to go on."""
    for name in names:
        wait = ("wait", "--for=delete", f"namespace/{name}", f"--timeout={REMOVED_S:g}s")
        try:
            await kubectl.run(*wait, timeout_s=REMOVED_S + 5)
        except KubectlError as error:
            say(f"The namespace {name} is still there ({error}); look at: kubectl get namespace {name} -o yaml")


async def _delete(kubectl: Kubectl, name: str, say: Say) -> None:
    try:
        await kubectl.run("delete", "namespace", name, "--wait=false")
    except KubectlError as error:
        say(f"The namespace {name} was not deleted ({error}); remove it by: kubectl delete namespace {name}")


class Tidegate:
    """Tidegate in a namespace.

    Args:
        kubectl: The user's.
        api: Of the same cluster.
        namespace: Exists.
    """

    def __init__(self, kubectl: Kubectl, api: Api, namespace: str) -> None:
        self._kubectl = kubectl
        self._api = api
        self.namespace = namespace

    async def deploy(self, sizing: Sizing, checkout: Path, say: Say) -> None:
        """Deploy, or change what is deployed; wait until nothing of before is left and autoscalers have figures.

        Args:
            sizing: How.
            checkout: Its `k8s` folder.
            say: Told every ten seconds what is waited for.

        Raises:
            DeployError: It is not so in time, or an image is missing.
            KubectlError, ManifestError: Nothing was applied.
        """
        with tempfile.TemporaryDirectory(prefix="tidegate-manifests-") as folder:
            written = manifests.write(Path(folder) / "run", checkout, self.namespace, sizing)
            await self._kubectl.run("apply", "-k", str(written))
        await self._ready(sizing, say)
        if sizing.pinned is not None:
            pod = min((await self.pods())[sizing.pinned], key=lambda one: str(one["metadata"]["name"]))
            name = pod["metadata"]["name"]
            label = f"{manifests.PIN_LABEL}=true"
            await self._kubectl.run("-n", self.namespace, "label", "--overwrite", "pod", name, label)

    async def pods(self) -> dict[Tier, list[Object]]:
        """Return the pods that are not leaving, by tier."""
        found = (await self._api.get(POD.path(self.namespace)))["items"]
        staying = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
        return {tier: [pod for pod in staying if tier_of(pod) == tier] for tier in TIERS}

    async def autoscalers(self) -> dict[str, Object]:
        """Return the autoscalers by name."""
        found = (await self._api.get(AUTOSCALER.path(self.namespace)))["items"]
        return {one["metadata"]["name"]: one for one in found}

    async def _ready(self, sizing: Sizing, say: Say) -> None:
        missing, looks = ["pods"], 0
        try:
            async with asyncio.timeout(READY_S):
                while missing:
                    missing = await self._missing(sizing)
                    if missing and looks % round(TOLD_S / LOOK_S) == 0:
                        say(f"Waiting for {', '.join(missing)} …")
                    looks += 1
                    await asyncio.sleep(LOOK_S if missing else 0)
        except TimeoutError:
            raise DeployError(
                f"expected Tidegate to be ready within {READY_S:g} s; still missing: {', '.join(missing)}"
            ) from None

    async def _missing(self, sizing: Sizing) -> list[str]:
        """Say what is not there yet, or still there.

        Raises:
            DeployError: Waiting will not help.
        """
        pods = (await self._api.get(POD.path(self.namespace)))["items"]
        if problems := [problem for pod in pods if (problem := stuck(pod))]:
            raise DeployError("; ".join(problems))
        autoscalers = await self.autoscalers()
        deployments = (await self._api.get(DEPLOYMENT.path(self.namespace)))["items"]
        missing = [f"the new {tier_of(one)} pods" for one in deployments if is_rolling(one)]
        for tier in TIERS:
            missing += uneven([pod for pod in pods if tier_of(pod) == tier], tier, sizing.pods[tier].least)
            autoscaler = autoscalers.get(f"tidegate-{tier}")
            missing += unfit(autoscaler, tier, sizing)
            if autoscaler is not None and sizing.pods[tier].least < sizing.pods[tier].most:
                missing += unsettled(autoscaler, tier, datetime.now(UTC))
        return missing


def uneven(pods: Sequence[Object], tier: Tier, least: int) -> list[str]:
    """Say which pods of a tier are not ready yet, or not gone yet."""
    ready = sum(map(is_ready, pods))
    leaving = sum("deletionTimestamp" in pod["metadata"] for pod in pods)
    if ready < least:
        return [f"{least - ready} ready {tier} pod{'s' if least - ready > 1 else ''}"]
    too_many = (
        len(pods) - leaving - least + (leaving if tier == "web" else 0)
    )  # a model server that leaves does nothing
    return [f"{too_many} {tier} pod{'s' if too_many > 1 else ''} to go"] if too_many > 0 else []


def unfit(autoscaler: Object | None, tier: Tier, sizing: Sizing) -> list[str]:
    """Say what an autoscaler does not know or do yet."""
    if autoscaler is None:
        return [f"an autoscaler of {tier}"]
    spec, pods = autoscaler["spec"], sizing.pods[tier]
    if (spec.get("minReplicas", 1), spec["maxReplicas"]) != (pods.least, pods.most):
        return [f"the {tier} autoscaler's bounds"]
    if pods.least == pods.most:
        return []  # whatever it knows, it changes nothing
    unknown = unknown_metrics(autoscaler)
    asked = [metric["type"] for metric in spec["metrics"]]
    if tier == "serving" and sizing.pending and "External" not in asked:
        unknown.append("pending predictions")
    if unknown:
        return [f"the {tier} autoscaler's {', '.join(unknown)}"]
    active = condition(autoscaler, "ScalingActive") == "True"
    enough = autoscaler["status"].get("currentReplicas", 0) >= pods.least
    return [] if active and enough else [f"the {tier} autoscaler to be active"]


def unsettled(autoscaler: Object, tier: Tier, now: datetime) -> list[str]:
    """Say that an autoscaler changed its tier within the period of one of its policies.

    Until that is over it allows more at once, or less: a policy counts from the number of pods at the period's start.
    """
    if (changed_at := autoscaler.get("status", {}).get("lastScaleTime")) is None:
        return []
    policies = autoscaler["spec"].get("behavior", {}).get("scaleUp", {}).get("policies") or ()
    period_s = max((policy["periodSeconds"] for policy in policies), default=0)
    passed_s = (now - datetime.fromisoformat(changed_at)).total_seconds()
    return [f"the {tier} autoscaler to forget its last change"] if passed_s <= period_s else []
