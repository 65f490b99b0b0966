"""Our arithmetic against the cluster's own HPA controller, fed the same scripted series.

    python benchmarks/hpa_validation.py --address 10.244.0.1 --minutes 7 --output docs/evidence/hpa-controller.json

Serves the custom metrics API from this machine, at an address that the cluster's API server can reach, and makes an HPA
for each scenario on a Deployment whose pods no node takes. Notes what the controller is told at each sync and what it
wants then. Afterwards our controller goes through the same figures on its own, without ever seeing what the real one
decided. Beside it stands the predictor that says what was said before. Needs a cluster without an adapter for custom
metrics, rights to register one, openssl, and matplotlib for `--svg`.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict
from functools import reduce
from operator import add
from pathlib import Path

from hpa_controller.cluster import Cluster
from hpa_controller.metrics_api import MetricsApi
from hpa_controller.replay import Sync, agreement, replayed, syncs
from hpa_controller.scenarios import SCENARIOS, TARGET_M, Scenario

NEEDED = 0.95
LAST_VALUE_AT_MOST = 0.6
SETTLE_S = 20


def recorded(kubectl: list[str], address: str, minutes: float) -> dict[str, list[Sync]]:
    """Run all scenarios at once and return their syncs."""
    scenarios = {scenario.name: scenario for scenario in SCENARIOS}
    cluster = Cluster(kubectl, "hpa-validation")
    seen: dict[str, list[tuple[float, int]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        api = MetricsApi(address, scenarios, Path(folder))
        api.start()
        with cluster.prepared(SCENARIOS, address, api.port):
            watch = cluster.watch(api.second, seen)
            time.sleep(SETTLE_S)
            cluster.apply([scenario.manifest() for scenario in SCENARIOS])
            end = time.monotonic() + 60 * minutes
            while time.monotonic() < end:
                time.sleep(min(30, max(0.0, end - time.monotonic())))
                print(f"{len(api.asked)} questions, {max(0.0, end - time.monotonic()):.0f} s left", file=sys.stderr)
            watch.terminate()
            watch.wait()
        api.stop()
    return {
        name: syncs(scenario, [one for one in api.asked if one.scenario == name], seen.get(name, []))
        for name, scenario in scenarios.items()
    }


def report(found: dict[str, list[Sync]]) -> tuple[dict[str, object], dict[str, list[int]], bool]:
    """Return the figures, our replicas for each scenario, and whether they are good enough."""
    scenarios = {scenario.name: scenario for scenario in SCENARIOS}
    wanted = {name: replayed(scenarios[name], record, _start(scenarios[name])) for name, record in found.items()}
    each = {name: agreement(wanted[name], record) for name, record in found.items()}
    total = reduce(add, each.values())
    good = total.within_one >= NEEDED * total.syncs and total.last_value < LAST_VALUE_AT_MOST * total.syncs
    print(f"{'':18} syncs  same  same within one  last value")
    for name, figures in [*each.items(), ("all", total)]:
        shares = [
            f"{100 * part / figures.syncs:.1f} %" for part in (figures.exact, figures.within_one, figures.last_value)
        ]
        print(f"{name:18} {figures.syncs:5d} {shares[0]:>7} {shares[1]:>9} {shares[2]:>13}")
    answer: dict[str, object] = {
        "all": asdict(total),
        "scenarios": {
            name: {
                **asdict(each[name]),
                "syncs_recorded": [asdict(sync) for sync in record],
                "ours": wanted[name],
            }
            for name, record in found.items()
        },
    }
    return answer, wanted, good


def _start(scenario: Scenario) -> int:
    return max(1, scenario.minimum)


def draw(found: dict[str, list[Sync]], wanted: dict[str, list[int]], file: Path) -> None:
    """Draw both for every scenario."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - only for the picture

    figure = Figure(figsize=(11, 14), layout="constrained")
    rows = -(-len(found) // 2)
    panels = figure.subplots(rows, 2, squeeze=False).ravel()
    for panel, (name, record) in zip(panels, found.items(), strict=False):
        minutes = [sync.second / 60 for sync in record]
        asked = [max((value or 0) for value in sync.values) / TARGET_M for sync in record]
        panel.step(minutes, asked, where="post", color="0.8", label="figure / target")
        panel.step(minutes, [sync.desired for sync in record], where="post", linewidth=2.5, label="controller")
        panel.step(minutes, wanted[name], where="post", linewidth=1, linestyle="--", color="black", label="ours")
        panel.set_title(name, loc="left", fontsize=10)
        panel.set_ylim(bottom=0)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[len(found) :]:
        panel.set_visible(False)
    panels[0].legend(frameon=False, fontsize=8)
    figure.supxlabel("minutes")
    figure.supylabel("replicas")
    figure.savefig(file, metadata={"Date": None})


def main() -> int:
    """Record, or read a record; replay, print, write; 1 if the agreement is too small."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", help="of this machine, as the cluster's API server reaches it")
    parser.add_argument("--minutes", type=float, default=7)
    parser.add_argument("--kubectl", default="kubectl", help="the command, with options")
    parser.add_argument("--replay", type=Path, metavar="JSON", help="replay this record instead of recording")
    parser.add_argument("--output", type=Path, metavar="JSON")
    parser.add_argument("--svg", type=Path)
    arguments = parser.parse_args()
    if arguments.replay:
        read = json.loads(arguments.replay.read_text())["scenarios"]
        found = {
            name: [Sync(one["second"], tuple(one["values"]), one["desired"]) for one in entry["syncs_recorded"]]
            for name, entry in read.items()
        }
    elif arguments.address:
        found = recorded(arguments.kubectl.split(), arguments.address, arguments.minutes)
    else:
        parser.error("expected --address to record, or --replay")
    answer, wanted, good = report(found)
    if arguments.output:
        arguments.output.write_text(json.dumps(answer) + "\n")
    if arguments.svg:
        draw(found, wanted, arguments.svg)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
