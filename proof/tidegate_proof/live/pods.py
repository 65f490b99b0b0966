"""How many pods of each tier there are, as the watches tell."""

from collections.abc import Mapping

from tidegate_proof.live.api import Object
from tidegate_proof.live.objects import is_ready, tier_of
from tidegate_proof.record.plan import TIERS, Tier


class Pods:
    """Counts, for whoever looks on."""

    def __init__(self) -> None:
        self._ready: dict[Tier, set[str]] = {tier: set() for tier in TIERS}
        self._desired: dict[Tier, int] = {}

    def change(self, change: str, kind: str, found: Object) -> None:
        """Learn of an object."""
        tier = next((one for one in TIERS if one == tier_of(found)), None)
        if tier is None:
            return
        if kind == "Pod":
            name = found["metadata"]["name"]
            if change != "DELETED" and is_ready(found):
                self._ready[tier].add(name)
            else:
                self._ready[tier].discard(name)
        elif kind == "HorizontalPodAutoscaler" and change != "DELETED":
            self._desired[tier] = found.get("status", {}).get("desiredReplicas", 0)

    def counts(self) -> Mapping[Tier, tuple[int, int]]:
        """Return (ready, desired) by tier."""
        return {tier: (len(ready), self._desired.get(tier, len(ready))) for tier, ready in self._ready.items()}
