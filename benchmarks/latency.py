"""p50 and p99 of the API and of the form at one user, against a running gateway.

    make run                                    # in another terminal
    .venv/bin/python benchmarks/latency.py [--host http://127.0.0.1:8080] [--requests 2000]

One keep-alive connection, one request after the other; API and form take turns, so that both see the same machine.
Times are from before the request is written until the answer has been read, in milliseconds.
"""

import argparse
import http.client
import json
import statistics
import sys
import time
import urllib.parse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WARM_UP = 200
FORM = urllib.parse.urlencode({"model": "and_gate", "inputs.0": "5", "inputs.1": "6"})
BODY = json.dumps({"instances": [[5, 6]]})


def ask(connection: http.client.HTTPConnection, path: str, body: str, content_type: str, expected: bytes) -> float:
    """Post once; gives milliseconds.

    Raises:
        RuntimeError: Another answer than the one expected.
    """
    started = time.perf_counter_ns()
    connection.request("POST", path, body, {"Content-Type": content_type})
    answer = connection.getresponse()
    page = answer.read()
    took_ms = (time.perf_counter_ns() - started) / 1e6
    if answer.status != http.client.OK or expected not in page:
        raise RuntimeError(f"{path}: expected 200 with {expected!r}, came {answer.status}: {page[:200]!r}")
    return took_ms


def summary(times_ms: list[float]) -> dict[str, float]:
    """p50 and p99 in milliseconds."""
    percentiles = statistics.quantiles(times_ms, n=100, method="inclusive")
    return {"n": len(times_ms), "p50_ms": round(percentiles[49], 3), "p99_ms": round(percentiles[98], 3)}


def main() -> int:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="http://127.0.0.1:8080")
    parser.add_argument("--requests", type=int, default=2000, help="of each kind (default 2000)")
    chosen = parser.parse_args()
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(chosen.host).netloc, timeout=30)
    kinds: dict[str, Callable[[], float]] = {
        "api": lambda: ask(connection, "/v1/models/and_gate:predict", BODY, "application/json", b"predictions"),
        "form": lambda: ask(connection, "/home", FORM, "application/x-www-form-urlencoded", b'data-class="1"'),
    }
    times_ms: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(WARM_UP + chosen.requests):
        for kind, measure in kinds.items():
            took_ms = measure()
            if number >= WARM_UP:
                times_ms[kind].append(took_ms)
    print(json.dumps({kind: summary(times) for kind, times in times_ms.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
