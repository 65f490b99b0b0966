"""How large a measured deployment is, and what its autoscalers are told."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from tidegate_hpa.autoscaler import Policy, ScalingRules
from tidegate_hpa.knee import Knee
from tidegate_hpa.planning import Plan

Tier = Literal["web", "serving"]
TIERS: tuple[Tier, ...] = ("web", "serving")

REQUESTED = 3
"""A pod's limit as a multiple of its request."""

DOWN_S = 15
"""Window that the autoscalers look back on before they take pods away."""

HEADROOM = 0.5
"""Share of a pod's capacity that is left free at its target: one that works on one request at a time queues early."""

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
        plan: Targets, requests and limits of the tier that is measured; None before it is.
        pending: Whether KEDA is to scale the model servers on pending predictions, beside CPU.
        cpu_target: Percent of the request where there is no plan; at three times the request, a pod is throttled.
        pinned: The tier of which only the pods with a label get requests; None for none.
    """

    pods: Mapping[Tier, Pods]
    model: str
    images: Mapping[Tier, str]
    plan: Plan | None = None
    pending: bool = False
    cpu_target: int = 60 * REQUESTED
    pinned: Tier | None = None

    def cpu_m(self) -> int:
        """Return the millicores that all pods together request at most."""
        return sum(pods.most * pods.request_m for pods in self.pods.values())

    def one_every(self, seconds: int) -> "Sizing":
        """Return it with a plan, if there is one, that adds one pod in so many seconds."""
        slow = ScalingRules(0, "Max", (Policy("Pods", 1, seconds),))
        return self if self.plan is None else replace(self, plan=replace(self.plan, scale_up=slow))

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


def fitted(tier: Tier, model: str, *, images: Mapping[Tier, str]) -> Sizing:
    """Return the sizing for runs on a tier: it may grow to four, the other has more than it needs and stands still.

    On two cores, generator, gateways, model servers and control plane share the processors: small pods leave room.

    Args:
        tier: That is measured.
        model: That is asked.
        images: `NAME:TAG` in place of the manifests' own, by tier.
    """
    pods: dict[Tier, Pods] = {
        "web": Pods(1, 4, 150) if tier == "web" else Pods(2, 2, 250),
        "serving": Pods(1, 4, 300) if tier == "serving" else Pods(2, 2, 500),
    }
    return Sizing(pods=pods, model=model, images=images)


def planned(sizing: Sizing, knee: Knee, slo_s: float, *, headroom: float = HEADROOM, pending: bool) -> Sizing:
    """Return a sizing with the targets that `tidegate-hpa plan` derives from a knee.

    Args:
        sizing: For the knee's tier.
        knee: Of one of its replicas.
        slo_s: What 99 of 100 requests are to keep.
        headroom: Share of a pod's capacity that is left free at its target.
        pending: Whether KEDA is there, for model servers.
    """
    tier: Tier = "web" if knee.tier == "web" else "serving"
    pods, on_pending = sizing.pods[tier], pending and tier == "serving"
    gateways = sizing.pods["web"].least
    plan = Plan(knee, headroom, pods.least, pods.most, DOWN_S, slo_s, on_pending=on_pending, gateways=gateways)
    # What is measured may lie a hair above the limit, and no pod may request more than that
    limit_m = max(pods.cpu_m, plan.cpu_request_m or 0)
    return replace(sizing, plan=plan, pending=on_pending, pods={**sizing.pods, tier: replace(pods, cpu_m=limit_m)})
