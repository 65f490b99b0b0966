"""`tidegate-hpa explain`: one reconcile of each HPA in a List."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .horizontal import Reconciliation, reconcile_autoscaler

if TYPE_CHECKING:
    from .snapshot import Snapshot
    from .state import State


def explain(snapshot: Snapshot, state: State) -> list[Reconciliation]:
    """Reconcile every HPA of the snapshot, in its order, each from its own memory."""
    now = time.time_ns() if state.now is None else state.now
    return [
        reconcile_autoscaler(hpa, snapshot.surroundings(hpa, now), state.of(hpa.key), state.settings)
        for hpa in snapshot.autoscalers
    ]
