"""Tidegate in a namespace of its own: made, waited for, removed."""

import asyncio
import contextlib
import re
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from tidegate_proof.live import manifests
from tidegate_proof.live.api import Api, Object
from tidegate_proof.live.kubectl import Kubectl, KubectlError
from tidegate_proof.live.objects import AUTOSCALER, POD, condition, is_ready, stuck, tier_of, unknown_metrics
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
        sizing: How it is deployed.
    """

    def __init__(self, kubectl: Kubectl, api: Api, namespace: str, sizing: Sizing) -> None:
        self._kubectl = kubectl
        self._api = api
        self.namespace = namespace
        self.sizing = sizing

    async def deploy(self, folder: Path, checkout: Path, say: Say) -> None:
        """Apply the manifests and wait until every pod is ready and every autoscaler has figures.

        Args:
            folder: Where kustomizations are written; to be made.
            checkout: Its `k8s` folder.
            say: Told every ten seconds what is waited for.

        Raises:
            DeployError: They are not there in time, or an image is missing.
            KubectlError, ManifestError: Nothing was applied.
        """
        written = manifests.write(folder, checkout, self.namespace, self.sizing)
        await self._kubectl.run("apply", "-k", str(written))
        await self._ready(say)
        if self.sizing.pinned is not None:
            pod = min((await self.pods())[self.sizing.pinned], key=lambda one: str(one["metadata"]["name"]))
            name = pod["metadata"]["name"]
            await self._kubectl.run("-n", self.namespace, "label", "pod", name, f"{manifests.PIN_LABEL}=true")

    async def pods(self) -> dict[Tier, list[Object]]:
        """Return the pods that are not leaving, by tier."""
        found = (await self._api.get(POD.path(self.namespace)))["items"]
        staying = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
        return {tier: [pod for pod in staying if tier_of(pod) == tier] for tier in TIERS}

    async def autoscalers(self) -> dict[str, Object]:
        """Return the autoscalers by name."""
        found = (await self._api.get(AUTOSCALER.path(self.namespace)))["items"]
        return {one["metadata"]["name"]: one for one in found}

    async def _ready(self, say: Say) -> None:
        missing, looks = ["pods"], 0
        try:
            async with asyncio.timeout(READY_S):
                while missing:
                    missing = await self._missing()
                    if missing and looks % round(TOLD_S / LOOK_S) == 0:
                        say(f"Waiting for {', '.join(missing)} …")
                    looks += 1
                    await asyncio.sleep(LOOK_S if missing else 0)
        except TimeoutError:
            raise DeployError(
                f"expected Tidegate to be ready within {READY_S:g} s; still missing: {', '.join(missing)}"
            ) from None

    async def _missing(self) -> list[str]:
        """Say what is not there yet.

        Raises:
            DeployError: Waiting will not help.
        """
        pods, autoscalers = await self.pods(), await self.autoscalers()
        if problems := [problem for one in pods.values() for pod in one if (problem := stuck(pod))]:
            raise DeployError("; ".join(problems))
        missing = []
        for tier in TIERS:
            ready, least = sum(map(is_ready, pods[tier])), self.sizing.pods[tier].least
            if ready < least:
                missing.append(f"{least - ready} ready {tier} pod{'s' if least - ready > 1 else ''}")
            missing += self._unfit(autoscalers.get(f"tidegate-{tier}"), tier)
        return missing

    def _unfit(self, autoscaler: Object | None, tier: Tier) -> list[str]:
        if autoscaler is None:
            return [f"an autoscaler of {tier}"]
        unknown = unknown_metrics(autoscaler)
        asked = [metric["type"] for metric in autoscaler["spec"]["metrics"]]
        if tier == "serving" and self.sizing.inflight_target is not None and "External" not in asked:
            unknown.append("pending predictions")
        if unknown:
            return [f"the {tier} autoscaler's {', '.join(unknown)}"]
        if condition(autoscaler, "ScalingActive") != "True":
            return [f"the {tier} autoscaler to be active"]
        if autoscaler["status"].get("currentReplicas", 0) < autoscaler["spec"].get("minReplicas", 1):
            return [f"the {tier} autoscaler's least number of pods"]
        return []
