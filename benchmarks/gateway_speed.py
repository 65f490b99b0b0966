"""The gateway's speed beside a bare aiohttp echo and the tutorial's Flask application.

    .venv/bin/python benchmarks/gateway_speed.py [--rounds 5] [--seconds 4] [--clients 1,8,64,256] [--json FILE]

The server under test has one core; the generator (wrk) and a model server that answers at once have another. Servers
take turns within each round, and only ratios within a round are compared. Every answer of the warm-up is checked, and
the status of every answer afterwards; a wrong one ends it with exit code 1. See benchmarks/README.md.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from gateway.bodies import Body, large, small
from gateway.load import Generator, Sample, require_wrk
from gateway.report import Case, Spread, cases_table, markdown, targets
from gateway.subjects import (
    BenchmarkError,
    Cores,
    Server,
    Subject,
    await_port,
    free_port,
    running,
    stub_command,
    subjects,
)

ROOT = Path(__file__).resolve().parent.parent
WARM_UP_S = 1
PACKAGES = ("aiohttp", "flask", "grpcio", "numpy", "orjson", "protobuf", "requests", "uvloop", "werkzeug")
NAMES = ("echo", "gateway", "flask")


def progress(text: str) -> None:
    """Say on a terminal what is going on, in one line."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def measure(servers: Sequence[Server], body: Body, clients: int, rounds: int, seconds: int) -> Case:
    """Load the servers in turn, round by round, after a warm-up of each.

    Raises:
        BenchmarkError: An answer was wrong.
    """
    samples: dict[str, list[Sample]] = {server.subject.name: [] for server in servers}
    with tempfile.TemporaryDirectory(prefix="tidegate-") as folder:
        generator = Generator(Path(folder))
        for server in servers:
            progress(f"{body.name}, {clients} clients: warming up {server.subject.name}")
            generator.warm_up(server, body, clients, WARM_UP_S)
        for number in range(rounds):
            for server in servers:
                progress(f"{body.name}, {clients} clients: round {number + 1} of {rounds}, {server.subject.name}")
                samples[server.subject.name].append(generator.measure(server, body, clients, seconds))
                server.ask(body)
    progress("")
    return Case(body.name, clients, samples)


def cold_start_s(chosen: Sequence[Subject], body: Body, core: int | None, times: int) -> dict[str, list[float]]:
    """Seconds from starting a process to its first right answer, the subjects in turn."""
    took: dict[str, list[float]] = {subject.name: [] for subject in chosen}
    for number in range(times):
        for subject in chosen:
            progress(f"cold start {number + 1} of {times}, {subject.name}")
            started = time.perf_counter()
            with subject.started(core) as server:
                server.await_answer(body)
                took[subject.name].append(time.perf_counter() - started)
    progress("")
    return took


def origin() -> dict[str, object]:
    """Say where and of what the figures are."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=False)
    return {
        "commit": commit.stdout.strip(),
        "changed_since": bool(changed.stdout.strip()),
        "machine": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def benchmark(arguments: argparse.Namespace) -> dict[str, object]:
    """Start everything, measure, print tables; gives the document that is written as JSON.

    Raises:
        BenchmarkError: It cannot be measured, or answers were wrong.
    """
    require_wrk()
    cores = Cores.of_this_process()
    if cores.others is None:
        print("This system pins no processes to cores: expect more noise", file=sys.stderr)
    else:
        os.sched_setaffinity(0, {cores.others})  # wrk and the stub inherit it
    grpc_port, rest_port = free_port(), free_port()
    compared = [
        subject for subject in subjects(grpc_port, rest_port, arguments.setting) if subject.name in arguments.subjects
    ]
    row, image = small(), large()
    with ExitStack() as stack:
        stack.enter_context(running(stub_command(grpc_port, rest_port), cores.others))
        await_port(rest_port)
        cold_s = cold_start_s(compared, row, cores.server, arguments.rounds)
        servers = [stack.enter_context(subject.started(cores.server)) for subject in compared]
        for server in servers:
            server.await_answer(row)
        cases = [measure(servers, row, clients, arguments.rounds, arguments.seconds) for clients in arguments.clients]
        rss_mb = {server.subject.name: server.rss_mb() for server in servers}
        if arguments.large:
            cases.append(measure(servers, image, 1, arguments.rounds, arguments.seconds))
        rss_after_large_mb = {server.subject.name: server.rss_mb() for server in servers}
    print(cases_table(cases), end="\n\n")
    print(processes_table(cold_s, rss_mb, rss_after_large_mb), end="\n\n")
    print("\n".join(targets(cases)))
    return {
        "origin": origin(),
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "settings": arguments.setting,
        "pinned": asdict(cores),
        "cases": [case.document() for case in cases],
        "cold_start_s": cold_s,
        "rss_mb": rss_mb,
        "rss_after_large_mb": rss_after_large_mb,
    }


def processes_table(
    cold_s: Mapping[str, Sequence[float]], rss_mb: Mapping[str, float], rss_after_large_mb: Mapping[str, float]
) -> str:
    """Write start and memory of each server as a Markdown table."""
    head = ["server", "start to first answer, s", "RSS after the rows, MB", "RSS at the end, MB"]
    rows = [
        [name, str(Spread.of(took)), f"{rss_mb[name]:.0f}", f"{rss_after_large_mb[name]:.0f}"]
        for name, took in cold_s.items()
    ]
    return markdown([head, *rows])


def numbers(text: str) -> list[int]:
    """Read whole numbers separated by commas."""
    found = [int(part) for part in text.split(",")]
    if min(found) < 1:
        raise ValueError(text)
    return found


def names(text: str) -> list[str]:
    """Read names of servers separated by commas."""
    found = text.split(",")
    if not set(found) <= set(NAMES):
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(NAMES)}, came {text}")
    return found


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each case (default 5)")
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement in a round (default 4)")
    parser.add_argument("--clients", type=numbers, default=[1, 8, 64, 256], metavar="N,…", help="connections at once")
    parser.add_argument("--subjects", type=names, default=list(NAMES), metavar="NAME,…", help=", ".join(NAMES))
    parser.add_argument("--no-large", dest="large", action="store_false", help="leave out the 1 MB body")
    parser.add_argument(
        "--setting", action="append", default=[], metavar="TIDEGATE_NAME=VALUE", help="to see what a setting costs"
    )
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "gateway-speed.json", metavar="FILE")
    chosen = parser.parse_args()
    if min(chosen.rounds, chosen.seconds) < 1:
        parser.error("--rounds and --seconds: expected a number from 1")
    chosen.setting = dict(pair.partition("=")[::2] for pair in chosen.setting)
    return chosen


def main() -> int:
    """Measure, print and write; exit code 1 when answers were wrong or nothing could be measured."""
    chosen = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leaves through the blocks that end the children
    try:
        document = benchmark(chosen)
    except BenchmarkError as error:
        progress("")
        print(f"gateway_speed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        progress("")
        return 130
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(document, indent=2) + "\n")
    print(f"\nWrote {chosen.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
