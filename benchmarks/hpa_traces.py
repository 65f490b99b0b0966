"""Planned settings on recorded traffic, beside what most people have: planned on the first half, scored on the second.

    python benchmarks/hpa_traces.py --json build/hpa-traces.json

Each trace is scaled to a peak of 20 replicas' capacity. The knee is a measured one (benchmarks/hpa_traces_knee.json:
embedded model server, model `work`, limit 500m, of which --cores at the knee), and so is the time that a pod takes
from its creation to Ready (8 s, the median of that run). A plan is the setting with the fewest late seconds on the
first half (its last two days) that costs no more than a budget there; the budgets are the oracle's pod-hours and 15 %,
and what CPU scaling costs. Simulated, with the functions that a cluster's controller was held against.
"""

import argparse
import json
import sys
from dataclasses import asdict
from math import ceil
from pathlib import Path

from tidegate_hpa import arrivals, knee, planning, terminal
from tidegate_hpa.fleet import Delays
from tidegate_hpa.planning import Plan
from tidegate_hpa.score import Score

HERE = Path(__file__).parent
SAMPLES = HERE.parent / "loadtest" / "samples"
TRACES = ("azure_llm_2023.csv.gz", "aws_elb_2014.csv.gz", "worldcup98.csv.gz")
PEAK_PODS = 20
LEARNED_S = 2 * 24 * 3600
"""Of the first half, the last two days at most."""

DELAYS = Delays(pod_start_s=8.0, pod_start_spread=0.2)


def compared(name: str, measured: knee.Knee) -> dict[str, Score]:
    """Plan on the first half of a trace, and score the plan and its rivals on the second."""
    seconds = arrivals.read(SAMPLES / name)
    factor = PEAK_PODS * measured.capacity_rps / max(seconds)
    load = [requests * factor for requests in seconds]
    half = len(load) // 2
    first, second = load[max(0, half - LEARNED_S) : half], load[half:]
    draft = Plan(measured, 0.3, 1, ceil(1.5 * PEAK_PODS), 300, measured.slo_s)
    tried = planning.search(draft, first, DELAYS, seed=1)
    usual = {f"CPU {percent} %": planning.default(percent, 1, draft.max_replicas) for percent in planning.PLAIN_CPU}
    costs = {title: planning.scored(draft, scaler, first, DELAYS, seed=1) for title, scaler in usual.items()}
    oracle = costs["CPU 80 %"].oracle_pod_hours
    budgets = {
        "oracle + 15 %": 1.15 * oracle,
        **{title: max(1.15 * oracle, cost.pod_hours) for title, cost in costs.items()},
    }
    plans = {title: planning.choose(tried, budget).plan for title, budget in budgets.items()}
    scalers = {
        **usual,
        **{f"planned for {title}: {settings(plan)}": plan.autoscaler() for title, plan in plans.items()},
    }
    return {title: planning.scored(draft, scaler, second, DELAYS, seed=1) for title, scaler in scalers.items()}


def settings(plan: Plan) -> str:
    """Return what was chosen, in short."""
    if plan.plain_cpu is not None:
        return f"plain CPU {plan.plain_cpu} %, min {plan.min_replicas}"
    way = "eager" if plan.scale_up is planning.EAGER else "usual"
    signal = "pending" if plan.on_pending else "CPU"
    return f"{signal}, headroom {plan.headroom:.0%}, window {plan.down_window_s} s, min {plan.min_replicas}, {way}"


def main() -> int:
    """Print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--knee", type=Path, default=HERE / "hpa_traces_knee.json")
    parser.add_argument("--cores", type=float, default=0.42, help="at the knee, where the file does not say")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    measured = knee.read(arguments.knee, arguments.cores)
    written: dict[str, object] = {"knee_sha256": measured.sha256, "cores": arguments.cores, "peak_pods": PEAK_PODS}
    for name in TRACES:
        scores = compared(name, measured)
        print(name)
        for line in terminal.table(list(scores), list(scores.values())):
            print(f"  {line}")
        written[name] = {title: asdict(found) for title, found in scores.items()}
        if arguments.json:
            arguments.json.write_text(json.dumps(written, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
