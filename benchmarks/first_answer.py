"""Seconds from a clone to the first answer, cold (nothing installed) and warm (a second `make run`).

    python benchmarks/first_answer.py [--repeat N]

Clones this repository into a temporary folder, runs `make run` there on free ports, and asks until the form answers.
Cold includes downloading and installing every dependency, TensorFlow among them, as pip's cache and the network allow
(`--no-cache` empties pip's cache for the run); warm is the same folder again.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST_S = 1800.0


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def first_answer_s(folder: Path, environment: dict[str, str]) -> float:
    """Run `make run` until the form shows the model, then stop it; gives the seconds that it took.

    Raises:
        RuntimeError: It ended, or did not answer in time.
    """
    ports = {name: str(free_port()) for name in ("HTTP_PORT", "OPS_PORT", "GRPC_PORT", "REST_PORT")}
    url = f"http://127.0.0.1:{ports['HTTP_PORT']}/home"
    started = time.monotonic()
    with subprocess.Popen(
        ["make", "run"], cwd=folder, env=environment | ports, stdout=subprocess.DEVNULL, start_new_session=True
    ) as run:
        try:
            while run.poll() is None and time.monotonic() - started < LONGEST_S:
                try:
                    with urllib.request.urlopen(url, timeout=5):
                        return time.monotonic() - started
                except OSError:
                    time.sleep(0.05)
        finally:
            os.killpg(run.pid, signal.SIGINT)
    raise RuntimeError(f"make run in {folder} did not answer")


def measure(*, cached: bool) -> dict[str, float]:
    """Clone, then time the first and the second run."""
    environment = dict(os.environ) | ({} if cached else {"PIP_NO_CACHE_DIR": "1"})
    with tempfile.TemporaryDirectory(prefix="tidegate-") as temporary:
        folder = Path(temporary) / "tidegate"
        started = time.monotonic()
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
        cloned_s = time.monotonic() - started
        return {
            "cold_s": round(cloned_s + first_answer_s(folder, environment), 1),
            "warm_s": round(first_answer_s(folder, environment), 1),
        }


def main() -> int:
    """Measure and print one JSON object a repetition."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--no-cache", action="store_true", help="download everything anew")
    chosen = parser.parse_args()
    for _ in range(chosen.repeat):
        print(json.dumps(measure(cached=not chosen.no_cache)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
