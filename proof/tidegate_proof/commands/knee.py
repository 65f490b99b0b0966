"""`tidegate-proof knee --url ADDRESS`: how much one replica takes before its answers come too late."""

import argparse
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urljoin

import uvloop

import arrivals
from samples import SampleError
from signatures import SignatureError
from tidegate_proof.engine.models import learn, requests_of
from tidegate_proof.engine.target import Target, TargetError
from tidegate_proof.knee.offering import Offering, schedule
from tidegate_proof.knee.search import attempt
from tidegate_proof.live.asking import positive, share, whole
from tidegate_proof.record.documents import write_document
from tidegate_proof.record.knee import KneeRecord, Search, Step
from tidegate_proof.record.plan import TIERS, GeneratorLimits, Slo

ASKED = {"web": "and_gate", "serving": "work"}
"""Models that make a tier the bottleneck."""

WORK = "work"

EPILOG = """
The address is that of a gateway with one replica of the tier in question and more than enough of the other; a
port-forward in between would be measured instead. Latency counts from the intended time of each request.

Exit codes: 0 found, 1 refused (the reason is said, and in FILE), 2 the target cannot be loaded or FILE not written,
130 interrupted.
"""


def add(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "knee",
        help="find how much one replica takes",
        description="Offers one load after the other, and halves the bracket around the highest that keeps the SLO.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    option = parser.add_argument
    option("--url", required=True, metavar="ADDRESS", help="of the gateway, such as http://192.0.2.1:8080")
    option("--tier", choices=TIERS, default="web", help="which one has one replica (default web)")
    option("--model", metavar="NAME", help="that is asked (default and_gate for web, work for serving)")
    option("--rows", type=whole, default=1, metavar="N", help="of each request (default 1)")
    option("--iterations", type=whole, default=200, metavar="N", help="of each row of work (default 200)")
    option("--latency-ms", type=positive, default=100.0, metavar="MS", help="p99 to be kept (default 100)")
    option("--success", type=share, default=0.999, metavar="SHARE", help="of right answers (default 0.999)")
    option("--step-s", type=whole, default=10, metavar="S", help="of each load (default 10; 20 latencies at least)")
    option("--warm-up-s", type=_seconds, default=2, metavar="S", help="before each, not counted (default 2)")
    option("--lowest", type=positive, default=4.0, metavar="RPS", help="first load (default 4)")
    option("--highest", type=positive, default=20_000.0, metavar="RPS", help="no more than this (default 20000)")
    option("--resolution", type=share, default=0.03, metavar="SHARE", help="width of the bracket (default 0.03)")
    option("--process", choices=arrivals.PROCESSES, default="poisson", help="of arrivals (default poisson)")
    option("--seed", type=int, default=1, help="of arrivals and rows (default 1)")
    option(
        "--out", type=Path, default=Path("knee.json"), metavar="FILE", help="where it is written (default knee.json)"
    )


def main(args: argparse.Namespace) -> int:
    """Search, say what was found, and write it."""
    slo = Slo(latency_ms=args.latency_ms, success=args.success)
    plan = Search(lowest_rps=args.lowest, highest_rps=args.highest, duration_s=args.step_s, resolution=args.resolution)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    model = args.model or ASKED[args.tier]
    iterations = args.iterations if model == WORK else None
    try:
        target = Target.of(urljoin(args.url, f"/v1/models/{model}:predict"))
        offering = Offering(
            target,
            requests_of(learn(target, model, seed=args.seed, iterations=iterations), args.rows, args.seed),
            schedule(args.process),
            slo,
            warm_up_s=args.warm_up_s,
            seed=args.seed,
        )
        knee, steps, refusal = uvloop.run(attempt(offering, slo, plan, _show(slo)))
    except (TargetError, SignatureError, SampleError) as error:
        sys.stderr.write(f"tidegate-proof knee: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("\ntidegate-proof knee: interrupted; nothing is written\n")
        return 130
    record = KneeRecord(
        tier=args.tier,
        target=args.url,
        model=model,
        rows=args.rows,
        work_iterations=iterations,
        process=args.process,
        seed=args.seed,
        slo=slo,
        warm_up_s=args.warm_up_s,
        generator=GeneratorLimits(),
        steps=steps,
        knee=knee,
        refusal=refusal,
        cluster=None,
        versions={"tidegate": version("tidegate-proof"), "python": platform.python_version()},
        started=started,
        search=plan,
    )
    return _tell(record, args.out)


def _show(slo: Slo) -> Callable[[Step], None]:
    def show(step: Step) -> None:
        kept = "kept" if step.keeps(slo) else "missed"
        sys.stderr.write(f"{step}: {'; '.join(step.faults) if step.faults else kept}\n")

    return show


def _tell(record: KneeRecord, out: Path) -> int:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_document(out, record)
    except OSError as error:
        sys.stderr.write(f"tidegate-proof knee: {out} cannot be written: {error.strerror}\n")
        return 2
    if record.knee is None:
        sys.stderr.write(f"tidegate-proof knee: {record.refusal}\n")
        return 1
    knee = record.knee
    sys.stdout.write(
        f"one {record.tier} replica takes {knee.capacity_rps:.4g} requests/s with a p99 of {knee.p99_ns / 1e6:.1f} ms; "
        f"at {knee.high:.4g} it misses the SLO\nWrote {out}\n"
    )
    return 0


def _seconds(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"expected whole seconds, came {text}")
    return number
