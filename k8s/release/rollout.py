"""Applies an overlay, and waits until the pods of both tiers are of it; tells why they are not."""

import json
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from release.cluster import COMPONENT, NAME, ClusterError, kubectl
from release.diagnosis import Manifest, Trouble, is_ready, is_rolled_out, new_pods, restarts, trouble, without_room

TIERS = ("serving", "web")

WAIT_S = 300.0
LOOK_S = 1.0

CLEAR_S = 3.0
"""How long a trouble must last to be one: the API's objects change one after the other."""

MENDED_S = 30.0
"""The same for a pod from before, which the overlay may have mended: the kubelet tries again every 10 to 15 s."""

Tell = Callable[[str], None]


@dataclass
class Tier:
    """What was seen of a tier so far.

    Attributes:
        name: `web` or `serving`.
        before: Of pods that were there before, how often their containers had been started again.
        done: Whether it is rolled out.
    """

    name: str
    before: Mapping[str, int]
    done: bool = False
    _told: set[str] = field(default_factory=set)
    _suspected: str = ""
    _since: float = 0.0

    def look(self, objects: Iterable[Manifest], tell: Tell, now: float) -> Trouble | None:
        """Take in the objects of a tier, say what is new, and return what waiting will not mend.

        Args:
            objects: Its Deployment, and the ReplicaSets and pods there are.
            tell: Writes a line for the user.
            now: Monotonic seconds.

        Raises:
            ClusterError: There is no Deployment.
        """
        by_kind: dict[str, list[Manifest]] = {"Deployment": [], "ReplicaSet": [], "Pod": []}
        for each in objects:
            by_kind[each["kind"]].append(each)
        if not by_kind["Deployment"]:
            raise ClusterError(f"there is no Deployment tidegate-{self.name}, although the overlay was applied")
        (deployment,) = by_kind["Deployment"]
        new = new_pods(deployment, by_kind["ReplicaSet"], by_kind["Pod"])
        self.done = is_rolled_out(deployment)
        if self.done:
            self._tell_once(f'deployment "tidegate-{self.name}" successfully rolled out', tell)
            return None
        wanted = deployment["spec"].get("replicas", 1)
        self._tell_once(f"tidegate-{self.name}: {sum(map(is_ready, new))} of {wanted} new pods are ready …", tell)
        for line in without_room(new):
            self._tell_once(line, tell)
        return self._lasting(trouble(deployment, new, self.before), now)

    def _tell_once(self, line: str, tell: Tell) -> None:
        if line not in self._told:
            self._told.add(line)
            tell(line)

    def _lasting(self, found: Trouble | None, now: float) -> Trouble | None:
        where = "" if found is None else found.where
        if where != self._suspected:
            self._suspected, self._since = where, now
        is_older = where.partition("/")[2] in self.before
        return found if now - self._since >= (MENDED_S if is_older else CLEAR_S) else None


def roll_out(folder: Path, tell: Tell, wait_s: float = WAIT_S) -> None:
    """Apply an overlay, and wait until the pods of both tiers are of it.

    Raises:
        ClusterError: They are not in time, or it is clear that they will not be; says what to do.
    """
    tiers = [Tier(name, _restarts(name)) for name in TIERS]
    _apply(folder, tell)
    deadline = time.monotonic() + wait_s
    while True:
        for tier in tiers:
            if found := tier.look(_objects(tier.name), tell, time.monotonic()):
                for line in _account(found):
                    tell(line)
                raise ClusterError(f"tidegate-{tier.name} does not come up. {found.where}: {found.what}.\n{found.todo}")
        waiting = [tier.name for tier in tiers if not tier.done]
        if not waiting:
            return
        if time.monotonic() > deadline:
            for line in _unready(waiting[0]):
                tell(line)
            raise ClusterError(f"tidegate-{waiting[0]} is not ready after {wait_s:g} s: the lines above say why")
        time.sleep(LOOK_S)


def apply_shared(folder: Path, tell: Tell) -> None:
    """Apply what the namespaces of a cluster share, if there is any; whoever may not is told who may."""
    if (folder / "kustomization.yaml").is_file():
        try:
            _apply(folder, tell)
        except ClusterError:
            tell("Whoever administers the cluster must have applied that once: kubectl apply -k " + _near(folder))


def is_tier_rolled_out(tier: str) -> bool:
    """Whether all pods of a tier are of its newest template, and available."""
    return is_rolled_out(json.loads(kubectl("get", "deployment", f"tidegate-{tier}", "--output", "json")))


def _apply(folder: Path, tell: Tell) -> None:
    tell(f"Applying {_near(folder)} …")
    done = subprocess.run(["kubectl", "apply", "-k", str(folder)], check=False, stdout=subprocess.PIPE, text=True)
    for line in done.stdout.splitlines():
        if not line.endswith((" unchanged", " configured")):
            tell(line)
    if done.returncode != 0:
        raise ClusterError("the cluster refused the overlay, or a part of it; its words are above")


def _near(folder: Path) -> str:
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)


def _objects(tier: str) -> list[Manifest]:
    found = kubectl(
        "get", "deployments,replicasets,pods", "--selector", f"{NAME},{COMPONENT}={tier}", "--output", "json"
    )
    return list(json.loads(found)["items"])


def _restarts(tier: str) -> dict[str, int]:
    return {each["metadata"]["name"]: restarts(each) for each in _objects(tier) if each["kind"] == "Pod"}


def _account(found: Trouble) -> Iterator[str]:
    """Yield what a person would look at next."""
    kind, _, name = found.where.partition("/")
    yield ""
    if kind == "pod":
        yield f"{found.where}, its last events and log lines:"
        yield from _events(name)
        yield from _log(name, previous=found.has_ended)


def _unready(tier: str) -> Iterator[str]:
    """Yield the pods of a tier, and of each that is not ready its state, events and log."""
    yield ""
    yield from kubectl("get", "pods", "--selector", f"{NAME},{COMPONENT}={tier}").splitlines()
    for each in _objects(tier):
        if each["kind"] == "Pod" and not is_ready(each):
            name = each["metadata"]["name"]
            states = [status.get("state", {}) for status in each["status"].get("containerStatuses", ())]
            yield ""
            yield f"pod/{name}: {each['status']['phase']} {json.dumps(states)}"
            yield from _events(name)
            yield from _log(name)


def _events(name: str) -> list[str]:
    columns = "custom-columns=REASON:.reason,MESSAGE:.message"
    about = f"involvedObject.name={name}"
    listed = kubectl(
        "get", "events", "--field-selector", about, "--sort-by=.lastTimestamp", "--output", columns, "--no-headers"
    )
    return [f"  {line}" for line in listed.splitlines()[-4:]]


def _log(name: str, *, previous: bool = False) -> list[str]:
    """Return the last lines of a pod's log; none where it has none yet."""
    try:
        lines = kubectl("logs", name, "--tail=5", *(["--previous"] if previous else [])).splitlines()
    except ClusterError:
        return []
    return [f"  {line}" for line in lines]
