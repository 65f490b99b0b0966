"""Pending predictions against latency of one model server: where the autoscaler's target comes from.

    .venv/bin/python benchmarks/pending_target.py --url http://127.0.0.1:30080 --model and_gate

For a deployment with one model server, which has to be what limits it: give it a CPU limit and the gateways none.
Keeps 1, 2, 4 … predictions of one row on their way, each number for longer than the gateway's average looks back. For
each it prints pending predictions as the gateways export them, answers a second, the mean time behind the gateway's
door (pending over answers a second, Little's law: a client that is short of CPU does not lengthen it), p50 and p99 as
the clients see them, and the power, answers a second over that mean, as a share of the greatest. The knee is where
the power is greatest (Kleinrock): from there on more waiting costs more latency than it buys throughput.
"""

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp

METRIC = re.compile(r"^tidegate_serving_pending_predictions_average (\S+)$", re.MULTILINE)
AVERAGED_S = 15
"""The gateway's average looks so far back."""

WARM_UP_S = 3
BODIES = {
    "and_gate": {"instances": [[5, 6]]},
    "digits": {"instances": [[[0.5] * 8] * 8]},
}


@dataclass(frozen=True, slots=True)
class Step:
    """What was seen with so many clients; times in milliseconds, as the clients see them."""

    clients: int
    pending: float
    answers_per_s: float
    p50_ms: float
    p99_ms: float
    errors: int

    @property
    def inside_ms(self) -> float:
        """Mean time from a prediction's admission to its answer."""
        return self.pending / self.answers_per_s * 1e3

    @property
    def power(self) -> float:
        """Answers a second over the mean time."""
        return self.answers_per_s / self.inside_ms


def pending(selector: str) -> float:
    """Sum of the averages that the gateways export now, read through the API server."""
    names = kubectl("get", "pods", "-l", selector, "-o", "name").split()
    namespace = kubectl("get", names[0], "-o", "jsonpath={.metadata.namespace}")
    pages = [
        kubectl("get", "--raw", f"/api/v1/namespaces/{namespace}/pods/{name.removeprefix('pod/')}:8081/proxy/metrics")
        for name in names
    ]
    return sum(float(found[1]) for page in pages if (found := METRIC.search(page)))


def kubectl(*arguments: str) -> str:
    """Run kubectl."""
    return subprocess.run(["kubectl", *arguments], capture_output=True, text=True, check=True).stdout


class Load:
    """Closed-loop clients: each sends its next prediction when it has the answer to the last.

    Args:
        session: What they send with.
        url: Where a prediction goes.
        body: What they send.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, body: bytes) -> None:
        self._session = session
        self._url = url
        self._body = body
        self.times_ms: list[float] = []
        self.errors = 0

    async def client(self, until: float) -> None:
        """Send until then, one after the other."""
        while time.perf_counter() < until:
            started = time.perf_counter()
            try:
                async with self._session.post(
                    self._url, data=self._body, headers={"Content-Type": "application/json"}
                ) as answer:
                    await answer.read()
                    good = answer.status == 200  # noqa: PLR2004 HTTP's OK
            except aiohttp.ServerDisconnectedError:  # the gateway closed an idle connection: no answer was lost
                continue
            except aiohttp.ClientError:
                good = False
            self.errors += not good
            self.times_ms.append((time.perf_counter() - started) * 1e3)

    async def run(self, clients: int, seconds: float) -> None:
        """Run so many clients for so long."""
        until = time.perf_counter() + seconds
        await asyncio.gather(*(self.client(until) for _ in range(clients)))


async def measure(url: str, body: bytes, clients: int, selector: str) -> Step:
    """Load with so many clients and read what the gateways export while they still send."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await Load(session, url, body).run(clients, WARM_UP_S)
        load = Load(session, url, body)
        running = asyncio.create_task(load.run(clients, AVERAGED_S + 1))
        await asyncio.sleep(AVERAGED_S)
        exported = await asyncio.to_thread(pending, selector)
        await running
    percentiles = statistics.quantiles(load.times_ms, n=100, method="inclusive")
    return Step(
        clients,
        round(exported, 2),
        round(len(load.times_ms) / (AVERAGED_S + 1), 1),
        round(percentiles[49], 2),
        round(percentiles[98], 2),
        load.errors,
    )


async def main() -> int:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="the gateway's address")
    parser.add_argument("--model", choices=BODIES, default="and_gate")
    parser.add_argument("--clients", default="1,2,4,8,16,32,64", help="numbers of clients, separated by commas")
    parser.add_argument(
        "--gateways", default="app.kubernetes.io/name=tidegate,app.kubernetes.io/component=web", help="their labels"
    )
    parser.add_argument("--output", type=Path, default=Path("build/pending-target.json"))
    chosen = parser.parse_args()
    body = json.dumps(BODIES[chosen.model]).encode()
    steps = []
    print("clients  pending  answers/s  inside ms    p50 ms    p99 ms  errors")
    for clients in map(int, chosen.clients.split(",")):
        step = await measure(f"{chosen.url}/v1/models/{chosen.model}:predict", body, clients, chosen.gateways)
        steps.append(step)
        print(
            f"{step.clients:7d}  {step.pending:7.2f}  {step.answers_per_s:9.1f}  {step.inside_ms:9.2f}  "
            f"{step.p50_ms:8.2f}  {step.p99_ms:8.2f}  {step.errors:6d}",
            flush=True,
        )
    best = max(step.power for step in steps)
    print("\npower by pending: " + ", ".join(f"{step.pending:g}: {step.power / best:.2f}" for step in steps))
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(
        json.dumps({"model": chosen.model, "steps": [asdict(step) for step in steps]}, indent=2) + "\n"
    )
    return 1 if any(step.errors for step in steps) else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
