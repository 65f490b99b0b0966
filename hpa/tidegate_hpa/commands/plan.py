"""`tidegate-hpa plan`: an HPA from a measured knee, with or without a trace of the load."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate_hpa import arrivals, knee, manifests, planning, terminal
from tidegate_hpa.errors import InputError
from tidegate_hpa.fleet import Delays
from tidegate_hpa.planning import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate_hpa.planning import Candidate
    from tidegate_hpa.score import Score


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser("plan", help="make an HPA from a measured knee", description=__doc__)
    parser.add_argument("knee", metavar="KNEE", type=Path, help="knee.json, which `tidegate-proof knee` writes")
    parser.add_argument("--cores", type=_positive, help="that a replica uses at its knee, where knee.json does not say")
    parser.add_argument("--rps", type=_positive, help="how many pods for so many requests a second?")
    parser.add_argument("--p99", type=_positive, metavar="S", help="seconds to keep; the knee's objective if not said")
    parser.add_argument("--headroom", type=float, default=0.3, help="share of a pod left free at its target (0.3)")
    parser.add_argument("--min", type=_count, default=2, help="fewest pods (2)")
    parser.add_argument("--max", type=_count, help="most pods (for twice --rps or the trace's peak, else 10)")
    parser.add_argument("--gateways", type=_count, default=1, help="that share what may wait, at least (1)")
    parser.add_argument("--trace", metavar="CSV", type=Path, help="offset_s,requests: search headroom and window on it")
    parser.add_argument("--peak", type=_positive, metavar="RPS", help="scale the trace to this peak")
    parser.add_argument(
        "--surplus",
        type=_not_negative,
        default=0.15,
        help="pod-hours above the oracle's (0.15), or what CPU 50 %% costs",
    )
    parser.add_argument(
        "--pod-start", type=_not_negative, default=8.0, metavar="S", help="measured, decision to Ready (8)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="write a kustomize component there")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Plan, say why, and write the component.

    Raises:
        InputError: the data are not good enough; the text says why.
    """
    measured = knee.read(arguments.knee, arguments.cores)
    if not 0 <= arguments.headroom < 1:
        raise InputError(f"--headroom: expected a share from 0 on and below 1, got {arguments.headroom:g}")
    load = _load(arguments)
    if arguments.max is not None and arguments.max < arguments.min:
        raise InputError(f"--max: expected no fewer than --min, which is {arguments.min}, got {arguments.max}")
    slo_s = arguments.p99 or measured.slo_s
    peak = max(load) if load else 2 * arguments.rps if arguments.rps else None
    plan = Plan(
        measured, arguments.headroom, arguments.min, arguments.max or 10, 300, slo_s, gateways=arguments.gateways
    )
    if arguments.max is None and peak is not None:
        most = max(arguments.min + 1, math.ceil(1.5 * peak / plan.rps_per_pod))
        plan = dataclasses.replace(plan, max_replicas=most)
    candidates: list[Candidate] = []
    compared: dict[str, Score] = {}
    delays = Delays(pod_start_s=arguments.pod_start)
    if load:
        if not plan.autoscaler().metrics:
            raise InputError(f"{arguments.knee}: expected a signal to scale on, found no CPU and none pending: --cores")
        candidates = planning.search(plan, load, delays, seed=arguments.seed, tell=_progress)
        usual = {
            f"CPU {percent} %": planning.scored(
                plan, planning.default(percent, plan.min_replicas, plan.max_replicas), load, delays, seed=arguments.seed
            )
            for percent in planning.PLAIN_CPU
        }
        cost = usual["CPU 50 %"]
        budget = max(cost.pod_hours, cost.oracle_pod_hours * (1 + arguments.surplus))
        chosen = planning.choose(candidates, budget)
        plan, compared = chosen.plan, {**usual, "planned": chosen.score}
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        for name, text in manifests.files(plan).items():
            (arguments.out / name).write_text(text, encoding="utf-8")
    if arguments.output == "json":
        print(json.dumps(_json(plan, arguments.rps, candidates, compared)))
    else:
        _print(plan, arguments.rps, candidates, compared)
    return 0


def _positive(text: str) -> float:
    """Read a number above 0."""
    return _number(text, "a number above 0", lambda value: value > 0)


def _not_negative(text: str) -> float:
    """Read a number from 0 on."""
    return _number(text, "a number from 0 on", lambda value: value >= 0)


def _count(text: str) -> int:
    """Read a whole number from 1 on."""
    wanted = "a whole number from 1 on"
    return int(_number(text, wanted, lambda value: value >= 1 and value == int(value)))


def _number(text: str, wanted: str, fits: Callable[[float], bool]) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and fits(value)):
        raise argparse.ArgumentTypeError(f"expected {wanted}, got {text!r}")
    return value


def _load(arguments: argparse.Namespace) -> list[float]:
    if arguments.trace is None:
        if arguments.peak is not None:
            raise InputError("--peak: expected --trace, which it scales, found none")
        return []
    load = arrivals.read(arguments.trace)
    if not any(load):
        raise InputError(f"{arguments.trace}: expected a request at least, found none")
    if arguments.peak is None:
        return load
    factor = arguments.peak / max(load)
    return [requests * factor for requests in load]


def _progress(candidate: Candidate, done: int, of: int) -> None:
    found = candidate.score
    if sys.stderr.isatty():
        print(
            f"{done} of {of}: {_settings(candidate.plan)}: {found.violation_s} s late, {found.pod_hours:.1f} pod-hours",
            file=sys.stderr,
        )


def _settings(plan: Plan) -> str:
    """Return what was tried, in short."""
    if plan.plain_cpu is not None:
        return f"plain CPU {plan.plain_cpu} %, min {plan.min_replicas}"
    signal = "pending" if plan.on_pending else "CPU"
    return f"headroom {plan.headroom:.0%}, window {plan.down_window_s} s, min {plan.min_replicas}, {signal}"


def _print(plan: Plan, rps: float | None, candidates: list[Candidate], compared: dict[str, Score]) -> None:
    for line in manifests.provenance(plan):
        print(line)
    if plan.pending_target_m is None:
        print("signal: CPU alone")
    else:
        print(f"target: {plan.pending_target_m / 1000:g} rows pending for each pod")
    print(
        "CPU: not measured (--cores)"
        if plan.cpu_request_m is None
        else f"CPU: request {plan.cpu_request_m}m, target {plan.cpu_target} %"
    )
    print(f"pods: {plan.min_replicas} to {plan.max_replicas}; scale down after {plan.down_window_s} s")
    if plan.knee.tier == "serving":
        sent, queued = plan.sent_per_gateway, plan.queued_per_gateway
        rows = "row" if sent == 1 else "rows"
        print(f"gateways: each sends on at most {sent} {rows} for each model server, and lets {queued} wait")
    if rps is not None:
        bare, comfortable = planning.pods_for(plan, rps)
        print(f"{rps:g} requests/s: {comfortable} pods with headroom, {bare} at the limit (without contention)")
    if candidates:
        print("\nlate seconds against pod-hours (nothing tried beats these in both):")
        for candidate in planning.pareto(candidates):
            found = candidate.score
            print(f"  {found.violation_s:7d} s  {found.pod_hours:10.2f} pod-hours  {_settings(candidate.plan)}")
        print()
        for line in terminal.table(list(compared), list(compared.values())):
            print(line)


def _json(plan: Plan, rps: float | None, candidates: list[Candidate], compared: dict[str, Score]) -> dict[str, object]:
    return {
        "plan": json.loads(manifests.files(plan)["plan.json"]),
        "pods": None if rps is None else dict(zip(("limit", "headroom"), planning.pods_for(plan, rps), strict=True)),
        "pareto": [
            {
                "headroom": candidate.plan.headroom,
                "down_window_s": candidate.plan.down_window_s,
                "min_replicas": candidate.plan.min_replicas,
                "on_pending": candidate.plan.on_pending,
                "plain_cpu": candidate.plan.plain_cpu,
                **dataclasses.asdict(candidate.score),
            }
            for candidate in planning.pareto(candidates)
        ],
        "compared": {name: dataclasses.asdict(found) for name, found in compared.items()},
    }
