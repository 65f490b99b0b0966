"""The generator: wrk, on the core that the server under test does not have."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gateway.bodies import Body
from gateway.subjects import BenchmarkError, Server

SCRIPT = Path(__file__).resolve().parent / "post.lua"
LATE_S = 60


@dataclass(frozen=True, slots=True)
class Sample:
    """What one measurement saw.

    Attributes:
        rate: Answers a second.
        p50_ms: Half of the answers took no longer.
        p99_ms: 99 % of the answers took no longer.
        cpu_us: Processor time of the server for each answer; None where the system does not tell.
        socket_errors: Connections refused or broken, and time-outs.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float | None
    socket_errors: int


def require_wrk() -> None:
    """See that there is a generator.

    Raises:
        BenchmarkError: wrk is not installed.
    """
    if shutil.which("wrk") is None:
        raise BenchmarkError("wrk is missing: apt install wrk, brew install wrk, or https://github.com/wg/wrk")


@dataclass(frozen=True, slots=True)
class Generator:
    """Posts bodies for a while.

    Attributes:
        folder: Where bodies are written for wrk.
    """

    folder: Path

    def measure(self, server: Server, body: Body, clients: int, seconds: int) -> Sample:
        """Load a server; each client sends its next request when it has an answer.

        Raises:
            BenchmarkError: An answer was no success; or, of echo and gateway, a connection broke.
        """
        return self._run(server, body, clients, seconds, [])

    def warm_up(self, server: Server, body: Body, clients: int, seconds: int) -> None:
        """Load a server and compare every answer with the right one, which costs the generator time.

        Raises:
            BenchmarkError: An answer was wrong.
        """
        expected = self.folder / f"{server.subject.name}.expected"
        expected.write_bytes(server.ask(body))
        self._run(server, body, clients, seconds, [str(expected)])

    def _run(self, server: Server, body: Body, clients: int, seconds: int, more: list[str]) -> Sample:
        file = self.folder / f"{body.model}.json"
        if not file.exists():
            file.write_bytes(body.text)
        command = ["wrk", "--threads", "1", "--connections", str(clients), "--duration", f"{seconds}s"]
        command += ["--timeout", "10s", "--script", str(SCRIPT), server.subject.url(body), "--", str(file), *more]
        before_s = server.cpu_s()
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + LATE_S)
        after_s = server.cpu_s()
        if done.returncode != 0:
            raise BenchmarkError(f"wrk: {done.stderr or done.stdout}")
        found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
        name = server.subject.name
        if found["failed"] or found["wrong"] or not found["requests"]:
            raise BenchmarkError(f"{name}, {body.name}, {clients} clients: answers were wrong or missing: {found}")
        if found["socket_errors"] and name != "flask":
            raise BenchmarkError(f"{name}, {body.name}, {clients} clients: connections broke: {found}")
        return Sample(
            rate=found["requests"] / found["duration_us"] * 1e6,
            p50_ms=found["p50_us"] / 1e3,
            p99_ms=found["p99_us"] / 1e3,
            cpu_us=None if before_s is None or after_s is None else (after_s - before_s) / found["requests"] * 1e6,
            socket_errors=found["socket_errors"],
        )
