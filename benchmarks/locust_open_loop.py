"""How many arrivals a second one Locust process sends in its open loop, and how late; prints JSON.

.venv/bin/python benchmarks/locust_open_loop.py [--rates 1000,2000,3000] [--seconds 15] [--rows 1]

The server answers at once from the other core (generator/gate_server.py); every answer is checked.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gateway.subjects import Cores, free_port, running

ROOT = Path(__file__).resolve().parents[1]
SERVER = ROOT / "benchmarks/generator/gate_server.py"
USERS = 200


@dataclass(frozen=True, slots=True)
class Run:
    """What one rate came to.

    Attributes:
        offered: Arrivals a second.
        answered: Right answers a second.
        undispatched: Arrivals that found no user free, of all.
        wrong: Other failures, of all.
        p50_ms: From when a request was due.
        p99_ms: The same.
        busy: Seconds of a processor that Locust took for a second of the run.
    """

    offered: int
    answered: float
    undispatched: float
    wrong: float
    p50_ms: float
    p99_ms: float
    busy: float


def offer(port: int, rate: int, seconds: int, rows: int) -> Run:
    """Let Locust offer a rate.

    Raises:
        RuntimeError: It gave no figures.
    """
    environment = os.environ | {
        "LOADTEST_ARRIVALS": "poisson",
        "LOADTEST_PEAK_RPS": str(rate),
        "LOADTEST_DURATION_S": str(seconds),
        "LOADTEST_USERS": str(USERS),
    }
    command = [str(Path(sys.executable).with_name("locust")), "-f", "loadtest", "--headless", "ApiUser"]
    command += ["--host", f"http://127.0.0.1:{port}", "--rows", str(rows), "--json", "--only-summary", "--skip-log"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        stats: list[dict[str, Any]] = json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"Locust: {done.stderr[-2000:]}") from None
    times: list[float] = []
    left_out = failed = requests = 0
    for row in stats:
        if row["method"] == "ARRIVAL":
            left_out = row["num_failures"]
            continue
        requests += row["num_requests"]
        failed += row["num_failures"]
        times += [float(ms) for ms, count in row["response_times"].items() for _ in range(count)]
    times.sort()
    return Run(
        offered=rate,
        answered=round((requests - failed) / seconds, 1),
        undispatched=round(left_out / max(1, requests + left_out), 5),
        wrong=round(failed / max(1, requests), 5),
        p50_ms=times[len(times) // 2],
        p99_ms=times[int(len(times) * 0.99)],
        busy=round((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / seconds, 3),
    )


def main() -> int:
    """Measure each rate; ends with 1 where an answer was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rates", default="1000,2000,3000,4000", help="arrivals a second (default %(default)s)")
    parser.add_argument("--seconds", type=int, default=15, help="for each rate (default 15)")
    parser.add_argument("--rows", type=int, default=1, help="of each request; 0 for 1 to 32 (default 1)")
    chosen = parser.parse_args()
    cores = Cores.of_this_process()
    port = free_port()
    with running([sys.executable, str(SERVER), str(port)], cores.server):
        if cores.others is not None:
            os.sched_setaffinity(0, {cores.others})  # Locust inherits it
        time.sleep(1)
        runs = [offer(port, int(rate), chosen.seconds, chosen.rows) for rate in chosen.rates.split(",")]
    print(json.dumps({"users": USERS, "rows": chosen.rows, "runs": [asdict(run) for run in runs]}, indent=2))
    return int(any(run.wrong for run in runs))


if __name__ == "__main__":
    sys.exit(main())
