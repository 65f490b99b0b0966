"""How many requests a second the proof's engine sends from one core, beside wrk and Locust.

    .venv/bin/python benchmarks/generator_speed.py [--rounds 3] [--seconds 3] [--clients 32] [--json FILE]

A server that answers at once has one core; the generators take turns on another. Only ratios within a round are
compared. See benchmarks/README.md.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gateway.bodies import Body
from gateway.load import Generator, require_wrk
from gateway.report import Spread, markdown
from gateway.subjects import BenchmarkError, Cores, Server, Subject, free_port
from gateway_speed import origin, progress
from generator.engine_posts import WARM_UP_S

HERE = Path(__file__).resolve().parent
BODY = Body("one row", "and_gate", {"instances": [[5.0, 6.0]]}, [[0.008, 0.992]])

PROMISED = 20_000
"""Requests/s that the engine is to send from one core, with a 99th percentile of the lag of up to 5 ms."""

FASTER = 1.15
"""From one rate of the engine's ladder to the next."""

LATE_S = 60


@dataclass(frozen=True, slots=True)
class Run:
    """One generator's turn.

    Attributes:
        rate: Right answers a second.
        p50_ms: From the intended time for the engine, from sending for the others.
        p99_ms: The same.
        server_busy: Share of the server's core; near 1 the server was measured, not the generator. None where the
            system does not tell.
        lag_p99_ms: Of the engine: 99th percentile of the lag from intended to sent.
        busy: Of the engine: share of its own core in its busiest second.
        faults: Of the engine: why it declares the run invalid.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    server_busy: float | None
    lag_p99_ms: float | None = None
    busy: float | None = None
    faults: tuple[str, ...] = ()


Turn = Callable[[], Run]


def asked(server: Server, command: Sequence[str], seconds: float) -> tuple[Any, float | None]:
    """Run a generator to its end; gives the JSON that it printed, and the seconds of a processor that the server took.

    Raises:
        BenchmarkError: It failed.
    """
    before_s = server.cpu_s()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + LATE_S)
    if done.returncode != 0:
        raise BenchmarkError(f"{' '.join(command)}: {done.stderr[-2000:] or done.stdout[-2000:]}")
    after_s = server.cpu_s()
    return json.loads(done.stdout), None if before_s is None or after_s is None else after_s - before_s


def engine(server: Server, rate: float, seconds: int) -> Run:
    """Offer a rate by the engine."""
    script = str(HERE / "generator" / "engine_posts.py")
    found, cpu_s = asked(server, [sys.executable, script, server.subject.url(BODY), str(rate), str(seconds)], seconds)
    failed = (f"{found['failed']} requests failed",) if found["failed"] else ()
    return Run(
        rate=found["rate"],
        p50_ms=(found["p50_ns"] or 0) / 1e6,
        p99_ms=(found["p99_ns"] or 0) / 1e6,
        server_busy=None if cpu_s is None else cpu_s / (seconds + WARM_UP_S),
        lag_p99_ms=found["account"]["lag_p99_ns"] / 1e6,
        busy=found["account"]["busy"],
        faults=(*found["faults"], *failed),
    )


def fastest(server: Server, seconds: int) -> Run:
    """Climb until the engine declares itself invalid; gives the last valid run.

    Raises:
        BenchmarkError: None was.
    """
    best, rate = None, float(PROMISED)
    while True:
        run = engine(server, rate, seconds)
        if run.faults:
            break
        best, rate = run, rate * FASTER
    if best is None:
        raise BenchmarkError(f"the engine is not valid at {rate:.0f} requests/s: {'; '.join(run.faults)}")
    return best


def wrk(server: Server, clients: int, seconds: int) -> Run:
    """Ask as fast as wrk can."""
    with tempfile.TemporaryDirectory(prefix="tidegate-") as folder:
        sample = Generator(Path(folder)).measure(server, BODY, clients, seconds)
    busy = None if sample.cpu_us is None else sample.cpu_us * sample.rate / 1e6
    return Run(sample.rate, sample.p50_ms, sample.p99_ms, busy)


def locust(server: Server, user: str, clients: int, seconds: int) -> Run:
    """Ask as fast as a kind of Locust's users can, in one process.

    Raises:
        BenchmarkError: Answers were wrong or missing.
    """
    host = f"http://127.0.0.1:{server.subject.port}"
    command = [str(Path(sys.executable).with_name("locust")), "-f", str(HERE / "generator" / "locust_posts.py")]
    command += ["--host", host, "--headless", "-u", str(clients), "-r", str(clients), "-t", f"{seconds}s"]
    (stats,), cpu_s = asked(server, [*command, "--json", "--only-summary", "--skip-log", user], seconds)
    if stats["num_failures"]:
        raise BenchmarkError(f"{user}: {stats['num_failures']} of {stats['num_requests']} requests failed")
    took_s = stats["last_request_timestamp"] - stats["start_time"]
    times = sorted((float(ms), count) for ms, count in stats["response_times"].items())
    busy = None if cpu_s is None else cpu_s / took_s
    return Run(stats["num_requests"] / took_s, rank(times, 0.5), rank(times, 0.99), busy)


def rank(times: Sequence[tuple[float, int]], share: float) -> float:
    """Return a quantile of counted times by nearest rank."""
    wanted = share * sum(count for _, count in times)
    for time, count in times:
        wanted -= count
        if wanted <= 0:
            return time
    return times[-1][0]


def benchmark(chosen: argparse.Namespace) -> dict[str, object]:
    """Start the server, let the generators take turns, print tables; gives the document that is written as JSON.

    Raises:
        BenchmarkError: It cannot be measured, or answers were wrong.
    """
    require_wrk()
    cores = Cores.of_this_process()
    if cores.others is None:
        print("This system pins no processes to cores: expect more noise", file=sys.stderr)
    else:
        os.sched_setaffinity(0, {cores.others})  # the generators inherit it
    port = free_port()
    script = str(HERE / "generator" / "fast_server.py")
    subject = Subject("fast", (sys.executable, script, str(port)), port, "/v1/models/{model}:predict")
    with subject.started(cores.server) as server:
        server.await_answer(BODY)
        turns: dict[str, Turn] = {
            "engine at 20,000/s": lambda: engine(server, PROMISED, chosen.seconds),
            "engine, fastest valid": lambda: fastest(server, chosen.seconds),
            "wrk": lambda: wrk(server, chosen.clients, chosen.seconds),
            "Locust FastHttpUser": lambda: locust(server, "FastPosts", chosen.clients, chosen.seconds),
            "Locust HttpUser": lambda: locust(server, "PlainPosts", chosen.clients, chosen.seconds),
        }
        rounds: dict[str, list[Run]] = {name: [] for name in turns}
        for number in range(chosen.rounds):
            for name, turn in turns.items():
                progress(f"round {number + 1} of {chosen.rounds}: {name}")
                rounds[name].append(turn())
        progress("")
    return {
        "origin": origin() | {"locust": version("locust")},
        "seconds": chosen.seconds,
        "clients": chosen.clients,
        "pinned": asdict(cores),
        "engine_over": {name: asdict(ratio(rounds, name)) for name in list(rounds)[2:]},
        "rounds": {name: [asdict(run) for run in runs] for name, runs in rounds.items()},
    }


def ratio(rounds: Mapping[str, Sequence[Run]], other: str) -> Spread:
    """The engine's fastest valid rate as a multiple of another's of the same round."""
    pairs = zip(rounds["engine, fastest valid"], rounds[other], strict=True)
    return Spread.of([mine.rate / others.rate for mine, others in pairs])


def table(document: Mapping[str, Any]) -> str:
    """Write medians over the rounds, with the least and the greatest, as a Markdown table."""
    head = ["generator", "1/s", "p99, ms", "server's core", "lag p99, ms", "own core", "engine ÷ it"]
    rows = []
    for name, runs in document["rounds"].items():
        columns = [[run[key] for run in runs] for key in ("rate", "p99_ms", "server_busy", "lag_p99_ms", "busy")]
        cells = [str(Spread.of(column)) if None not in column else "" for column in columns]
        over = document["engine_over"].get(name)
        rows.append([name, *cells, "" if over is None else str(Spread(**over))])
    return markdown([head, *rows])


def verdict(document: Mapping[str, Any]) -> str:
    """Say whether the promise was kept in every round."""
    runs = document["rounds"]["engine at 20,000/s"]
    faults = [fault for run in runs for fault in run["faults"]]
    return f"20,000 requests/s from one core, p99 lag up to 5 ms: {'; '.join(faults) or 'kept in every round'}"


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each generator (default 3)")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement (default 3)")
    parser.add_argument("--clients", type=int, default=32, help="connections of wrk, users of Locust (default 32)")
    parser.add_argument(
        "--json",
        type=Path,
        default=HERE.parent / "build" / "generator-speed.json",
        metavar="FILE",
        help="of all samples",
    )
    chosen = parser.parse_args()
    if min(chosen.rounds, chosen.seconds, chosen.clients) < 1:
        parser.error("--rounds, --seconds and --clients: expected a number from 1")
    return chosen


def main() -> int:
    """Measure, print and write; exit code 1 when answers were wrong or nothing could be measured."""
    chosen = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leaves through the block that ends the server
    try:
        document = benchmark(chosen)
    except BenchmarkError as error:
        progress("")
        print(f"generator_speed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        progress("")
        return 130
    print(table(document), verdict(document), sep="\n\n")
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(document, indent=2) + "\n")
    print(f"\nWrote {chosen.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
