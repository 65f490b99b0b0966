"""`tidegate-proof run SCENARIO`: one measured run on the cluster of your kubectl, and its verdict."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import uvloop

from arrivals import ArrivalError
from samples import SampleError
from scenarios import SCENARIOS
from signatures import SignatureError
from tidegate_hpa.errors import InputError
from tidegate_proof.engine.target import TargetError
from tidegate_proof.live.address import AddressError
from tidegate_proof.live.api import ApiError, UnreachableError
from tidegate_proof.live.asking import add_place, place_of, positive, share, whole
from tidegate_proof.live.console import Console
from tidegate_proof.live.deployment import DeployError
from tidegate_proof.live.kubectl import KubectlError
from tidegate_proof.live.manifests import ManifestError
from tidegate_proof.live.performance import Signals, has_keda, perform
from tidegate_proof.live.plan import Terms
from tidegate_proof.live.progress import Progress
from tidegate_proof.live.session import UnmetError, new_folder
from tidegate_proof.live.sizing import FROZEN, HEADROOM, PINNED
from tidegate_proof.live.stop import Stop, StoppedError
from tidegate_proof.live.trials import Order, OrderError, knee_used
from tidegate_proof.record.errors import RecordError
from tidegate_proof.record.plan import Slo
from tidegate_proof.record.verdict import Verdict
from tidegate_proof.verdict.verify import Outcome

TROUBLE = (KubectlError, DeployError, ManifestError, AddressError, ApiError, UnreachableError, UnmetError, OrderError,
           InputError, RecordError, ArrivalError, TargetError, SignatureError, SampleError, OSError)  # fmt: skip
"""What may keep a run from taking place; each says what was expected, what came and what to do."""

EPILOG = """
Deploys Tidegate into a namespace of its own, loads it with the autoscalers on, writes down everything, and removes it.
Loads are multiples of what one replica can do: measure that with `tidegate-proof knee`, or let `make prove` do it all.

Exit codes: 0 it did what it has to (a control: it failed), 1 it did not, 3 partial or not valid, 4 no run took place,
130 interrupted before there was anything to record.
"""


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "run",
        help="run a scenario on your cluster and judge it",
        description="One measured run: " + "; ".join(f"{one.name} ({one.title})" for one in SCENARIOS.values()) + ".",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = parser.add_argument
    option("scenario", choices=sorted(SCENARIOS), metavar="SCENARIO", help=", ".join(sorted(SCENARIOS)))
    capacity = parser.add_mutually_exclusive_group(required=True)
    capacity.add_argument("--knee", type=Path, metavar="FILE", help="knee.json of one replica: `tidegate-proof knee`")
    capacity.add_argument("--capacity", type=positive, metavar="RPS", help="what one replica can do, if you know it")
    option("--control", choices=(FROZEN, PINNED), help="break this on purpose; the run must then fail")
    option("--latency-ms", type=positive, metavar="MS", help="p99 that is promised (default: the knee's, or 500)")
    option("--back-s", type=whole, default=60, metavar="S", help="seconds that pods may take to help (default 60)")
    option("--duration", type=whole, metavar="S", help="in place of the scenario's own")
    option("--iterations", type=whole, metavar="N", help="of each row of model work, in place of the scenario's own")
    option("--headroom", type=share, default=HEADROOM, help=f"of a pod, free at its target (default {HEADROOM:g})")
    option("--cpu-only", action="store_true", help="do not scale on pending predictions, even where KEDA is there")
    option("--seed", type=int, default=1, help="of arrivals and rows (default 1)")
    add_place(parser)


def main(args: argparse.Namespace) -> int:
    """Run, and say what came of it."""
    console = Console(Progress(sys.stderr, args.scenario), Stop())
    try:
        verdict = uvloop.run(_run(args, console))
    except StoppedError as stopped:
        console.say(f"Stopped: {stopped}; nothing was recorded")
        return 130
    except TROUBLE as error:
        console.say(f"tidegate-proof run: {error}")
        return 4
    return code_of(verdict, control=args.control is not None)


def code_of(verdict: Verdict, *, control: bool) -> int:
    """Return the exit code of a verdict."""
    if verdict.passed is None:
        return int(Outcome.PARTIAL)
    return int(Outcome.PASSED if verdict.passed is not control else Outcome.FAILED)


async def _run(args: argparse.Namespace, console: Console) -> Verdict:
    with console.stop.on_signals():
        place = place_of(args)
        scenario = SCENARIOS[args.scenario]
        if args.iterations and scenario.work_iterations:
            scenario = replace(scenario, work_iterations=args.iterations)
        knee, record = knee_used(args.knee, scenario) if args.knee else (None, None)
        latency_ms = args.latency_ms or (record.slo.latency_ms if record else 500.0)
        terms = Terms.of(Slo(latency_ms=latency_ms), args.back_s)
        order = Order(
            scenario=scenario,
            capacity_rps=knee.capacity_rps if knee else args.capacity,
            knee=knee,
            knee_file=args.knee,
            terms=terms,
            control=args.control,
            duration_s=args.duration,
            seed=args.seed,
        )
        signals = Signals(
            images=dict(args.image),
            pending=not args.cpu_only and await has_keda(place),
            headroom=args.headroom,
        )
        name = "-".join(filter(None, (scenario.name, args.control)))
        return await perform(order, place, signals, new_folder(args.output, name), console)
