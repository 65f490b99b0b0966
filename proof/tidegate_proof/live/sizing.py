"""How large a measured deployment is, and what its autoscalers are told."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

Tier = Literal["web", "serving"]
TIERS: tuple[Tier, ...] = ("web", "serving")

REQUESTED = 3
"""A pod's limit as a multiple of its request."""

LEAST_WAITING = 8
"""Two for each half of each of two gateways."""

FROZEN: Literal["frozen-hpa"] = "frozen-hpa"
PINNED: Literal["pinned"] = "pinned"


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods of a tier.

    Attributes:
        least: Bound of its autoscaler.
        most: The other.
        cpu_m: Its limit in millicores: a pod's capacity does not depend on its neighbours.
    """

    least: int
    most: int
    cpu_m: int

    @property
    def request_m(self) -> int:
        """Millicores that a pod requests: a third of the limit, so that all of them fit beside what else there is."""
        return self.cpu_m // REQUESTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """A deployment that is made to be measured.

    Attributes:
        pods: Of each tier.
        model: The only one that is served.
        images: `NAME:TAG` in place of the manifests' own, by tier.
        inflight_target: Pending predictions for each model server, where KEDA is to read them; None for CPU alone.
        waiting: Predictions that all gateways together may hold; past it they answer 429. None for as many as they do
            by default.
        cpu_target: Percent of the request; at three times the request, a pod is throttled.
        down_s: Window that the autoscalers look back on before they take pods away.
        pinned: The tier of which only the pods with a label get requests; None for none.
    """

    pods: Mapping[Tier, Pods]
    model: str
    images: Mapping[Tier, str]
    inflight_target: int | None = None
    waiting: int | None = None
    cpu_target: int = 60 * REQUESTED
    down_s: int = 15
    pinned: Tier | None = None

    def cpu_m(self) -> int:
        """Return the millicores that all pods together request at most."""
        return sum(pods.most * pods.request_m for pods in self.pods.values())

    def broken(self, control: str | None, tier: Tier) -> "Sizing":
        """Return it with what a control breaks in a tier; itself without a control.

        Raises:
            ValueError: There is no such control.
        """
        match control:
            case None:
                return self
            case "frozen-hpa":
                least = self.pods[tier].least
                return replace(self, pods={**self.pods, tier: replace(self.pods[tier], most=least)})
            case "pinned":
                return replace(self, pinned=tier)
        raise ValueError(f"expected {FROZEN} or {PINNED}, came {control!r}")


def fitted(
    tier: Tier,
    model: str,
    *,
    images: Mapping[Tier, str],
    inflight_target: int | None = None,
    within_slo: float | None = None,
) -> Sizing:
    """Return the sizing for runs on a tier: it may grow to four, the other has more than it needs and stands still.

    On two cores, generator, gateways, model servers and control plane share the processors: small pods leave room.

    Args:
        tier: That is measured.
        model: That is asked.
        images: `NAME:TAG` in place of the manifests' own, by tier.
        inflight_target: Pending predictions for each model server; None for CPU alone.
        within_slo: Requests that one model server answers in the time that the SLO gives one; None where nobody knows.
    """
    pods: dict[Tier, Pods] = {
        "web": Pods(1, 4, 150) if tier == "web" else Pods(2, 2, 250),
        "serving": Pods(1, 4, 300) if tier == "serving" else Pods(2, 2, 500),
    }
    inflight = tier == "serving"
    return Sizing(
        pods=pods,
        model=model,
        images=images,
        inflight_target=inflight_target if inflight else None,
        waiting=waiting(pods["serving"].most, within_slo) if inflight and within_slo else None,
    )


def waiting(most: int, within_slo: float) -> int:
    """Return how many predictions the gateways may hold: what all model servers answer in the time that the SLO gives.

    What is more would be answered too late by all of them, and is refused at once. One model server alone takes `most`
    times the SLO for as many; clients wait longer than that (`plan.Terms.of`), so that nothing is lost meanwhile.
    """
    return max(LEAST_WAITING, math.ceil(most * within_slo))
