"""What a cluster's own controller wanted, recorded (docs/evidence/hpa-controller.json): ours still wants the same."""

import json
from functools import reduce
from operator import add
from pathlib import Path

from hpa_controller.replay import Sync, agreement, replayed
from hpa_controller.scenarios import SCENARIOS

EVIDENCE = Path(__file__).resolve().parents[2] / "docs" / "evidence" / "hpa-controller.json"


def test_the_clusters_controller_is_foretold_and_not_by_saying_what_was_said_before():
    recorded = json.loads(EVIDENCE.read_text())["scenarios"]
    found = []
    for scenario in SCENARIOS:
        entries = recorded[scenario.name]["syncs_recorded"]
        syncs = [Sync(entry["second"], tuple(entry["values"]), entry["desired"]) for entry in entries]
        found.append(agreement(replayed(scenario, syncs, max(1, scenario.minimum)), syncs))
    total = reduce(add, found)
    assert len(found) >= 10
    assert total.within_one >= 0.95 * total.syncs
    assert total.last_value < 0.6 * total.syncs
