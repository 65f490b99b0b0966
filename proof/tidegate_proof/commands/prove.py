"""`tidegate-proof prove`: a knee, runs that have to pass, and controls that have to fail, on your cluster."""

import argparse
import sys
import time
from pathlib import Path

import uvloop

from tidegate_proof.commands.run import TROUBLE
from tidegate_proof.live.asking import add_place, place_of
from tidegate_proof.live.console import Console
from tidegate_proof.live.deployment import gone
from tidegate_proof.live.performance import has_keda
from tidegate_proof.live.programme import FULL, SHORT
from tidegate_proof.live.progress import Progress
from tidegate_proof.live.proving import Proving
from tidegate_proof.live.session import new_folder
from tidegate_proof.live.stop import Stop, StoppedError
from tidegate_proof.record.manifest import Partial
from tidegate_proof.record.plan import TIERS
from tidegate_proof.record.proof import Proof
from tidegate_proof.verdict.verify import Outcome

EPILOG = """
The short form takes some eleven minutes, --full some fifty-five. A proof is void when a control does not fail: then its
thresholds hold whatever happens, and nothing is shown.

Exit codes: 0 passed, 1 failed or void, 3 partial (interrupted, or something went wrong on the way), 4 no run.
"""


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "prove",
        help="measure one replica, show that the autoscalers add and take away, and that controls fail",
        description="Finds what one replica can do, loads with multiples of it, and breaks things on purpose.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--full", action="store_true", help="both tiers, more shapes, repeats for intervals")
    parser.add_argument("--tier", choices=TIERS, help="this one alone: its share of --full")
    parser.add_argument("--cpu-only", action="store_true", help="do not scale on pending predictions")
    add_place(parser)


def main(args: argparse.Namespace) -> int:
    """Prove, and say what came of it."""
    console = Console(Progress(sys.stderr, "prove"), Stop())
    try:
        return uvloop.run(_prove(args, console))
    except TROUBLE as error:
        console.say(f"tidegate-proof prove: {error}")
        return int(Outcome.UNUSABLE)


async def _prove(args: argparse.Namespace, console: Console) -> int:
    began, reason = time.monotonic(), None
    with console.stop.on_signals():
        place = place_of(args)
        keda = not args.cpu_only and await has_keda(place)
        programme = [part for part in FULL if part.tier == args.tier] or (FULL if args.full else SHORT)
        kind = args.tier or ("full" if args.full else "short")
        folder = new_folder(args.output, f"proof-{kind}")
        folder.mkdir(parents=True)
        console.say(f"Signal of the model servers: {'pending predictions (KEDA) and CPU' if keda else 'CPU'}")
        proving = Proving(place, folder, dict(args.image), keda, console)
        try:
            await proving.prove(programme)
        except StoppedError as error:
            reason = str(error)
        except TROUBLE as error:
            reason = str(error)
            console.say(f"✗ {error}")
        reason = reason or console.stop.reason
        took_ns = round((time.monotonic() - began) * 1e9)
        broken = None if reason is None else Partial(reason=reason, t_ns=took_ns)
        try:
            proof = proving.conclude(broken) if proving.runs else None
        finally:
            if not place.keep:
                await gone(place.kubectl, proving.namespaces, console.say)
    return _told(proof, folder, console, time.monotonic() - began, partial=broken is not None)


def _told(proof: Proof | None, folder: Path, console: Console, took_s: float, *, partial: bool) -> int:
    if proof is None:
        console.say(f"No run took place; what there is lies in {folder}")
        return int(Outcome.UNUSABLE)
    for run in proof.runs:
        did = {True: "passed", False: "failed", None: f"was not judged ({run.state})"}[run.passed]
        right = run.passed is (run.expect == "pass")
        console.say(f"{'✓' if right else '✗'} {run.folder} {did}, has to {run.expect}")
    word = "PARTIAL" if partial else "VOID" if proof.void else "PASSED" if proof.passed else "FAILED"
    console.say(f"{word} after {took_s / 60:.1f} minutes. Open {folder / 'report.html'}")
    console.say(f"Anybody can check it: tidegate-proof verify {folder}")
    if partial:
        return int(Outcome.PARTIAL)
    return int(Outcome.PASSED if proof.passed else Outcome.FAILED)
