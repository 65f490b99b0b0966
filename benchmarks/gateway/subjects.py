"""What is compared: echo, gateway and Flask, as child processes on a core of their own."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.bodies import Body

HERE = Path(__file__).resolve().parent
START_S = 30.0
STOP_S = 10.0
TIMEOUT_S = 30.0
SETTLED_S = 0.001
"""How soon a server that does not answer yet is asked again."""


class BenchmarkError(Exception):
    """The measurement cannot be made, or would be of wrong answers."""


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Cores:
    """Where the server under test runs, and where everything else does; None where nothing can be pinned."""

    server: int | None
    others: int | None

    @classmethod
    def of_this_process(cls) -> "Cores":
        """Take two of the cores that this process may use, where the system knows pinning (Linux).

        Raises:
            BenchmarkError: There is only one.
        """
        if not hasattr(os, "sched_getaffinity"):
            return cls(None, None)
        usable = sorted(os.sched_getaffinity(0))
        if len(usable) == 1:
            raise BenchmarkError("expected two cores, one for the server and one for its clients; there is one")
        return cls(usable[0], usable[-1])


@contextmanager
def running(
    command: list[str], core: int | None, environment: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a child process on a core until the end of the block.

    It is in a session of its own: Ctrl-C reaches this process alone, which then ends it by its id.
    """
    here = os.sched_getaffinity(0) if core is not None else set()
    if core is not None:
        os.sched_setaffinity(0, {core})  # a child starts where its parent is
    try:
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
    finally:
        if core is not None:
            os.sched_setaffinity(0, here)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True, slots=True)
class Subject:
    """A server under test.

    Attributes:
        name: What the tables call it.
        command: What starts it.
        port: Where it listens.
        path: Where it is asked, with `{model}`.
        echoes: Whether it answers with the request instead of predictions.
        settings: Variables of its environment.
    """

    name: str
    command: tuple[str, ...]
    port: int
    path: str
    echoes: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def started(self, core: int | None) -> Iterator["Server"]:
        """Run it until the end of the block."""
        # What the caller's shell says of the gateway would no longer be its defaults
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
        with running(list(self.command), core, environment | dict(self.settings)) as process:
            yield Server(self, process)

    def url(self, body: Body) -> str:
        """Where a body is posted to."""
        return f"http://127.0.0.1:{self.port}{self.path.format(model=body.model)}"

    def expected(self, body: Body) -> dict[str, object]:
        """What it answers."""
        return body.document if self.echoes else {"predictions": body.predictions}


@dataclass(frozen=True, slots=True)
class Server:
    """A subject that runs."""

    subject: Subject
    process: "subprocess.Popen[bytes]"

    def ask(self, body: Body) -> bytes:
        """Post once and check the answer; gives its text.

        Raises:
            BenchmarkError: Another answer than the right one.
            OSError: Nothing listens yet.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.subject.port, timeout=TIMEOUT_S)
        try:
            path = self.subject.path.format(model=body.model)
            connection.request("POST", path, body.text, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != http.client.OK or json.loads(text) != self.subject.expected(body):
            raise BenchmarkError(f"{self.subject.name}: a wrong answer to {body.name}: {answer.status} {text[:200]!r}")
        return text

    def await_answer(self, body: Body) -> None:
        """Ask until there is an answer.

        Raises:
            BenchmarkError: It ended, gave no answer in time, or a wrong one.
        """
        deadline = time.monotonic() + START_S
        while True:
            try:
                self.ask(body)
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    command = " ".join(self.subject.command)
                    raise BenchmarkError(f"{self.subject.name} does not start: {command}") from error
                time.sleep(SETTLED_S)
            else:
                return

    def rss_mb(self) -> float:
        """Resident memory, in MB."""
        done = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(self.process.pid)], capture_output=True, text=True, check=True
        )
        return int(done.stdout) * 1024 / 1e6

    def cpu_s(self) -> float | None:
        """Processor time used so far, in seconds; None where the system has no /proc."""
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        except FileNotFoundError:
            return None
        user, system = stat.rpartition(")")[2].split()[11:13]  # fields 14 and 15 of proc(5)
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def stub_command(grpc_port: int, rest_port: int) -> list[str]:
    """Start the model server that answers at once."""
    return [sys.executable, str(HERE / "stub_model_server.py"), str(grpc_port), str(rest_port)]


def await_port(port: int) -> None:
    """Wait until something listens.

    Raises:
        BenchmarkError: Nothing does in time.
    """
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise BenchmarkError("the stub of a model server does not start")


def subjects(grpc_port: int, rest_port: int, settings: Mapping[str, str]) -> list[Subject]:
    """Name what is compared.

    Args:
        grpc_port: The stub's, for the gateway.
        rest_port: The stub's, for Flask.
        settings: TIDEGATE_ variables other than their defaults.
    """
    echo, gateway, ops, flask = (free_port() for _ in range(4))
    python = sys.executable
    return [
        Subject("echo", (python, str(HERE / "echo.py"), str(echo)), echo, "/", echoes=True),
        Subject(
            "gateway",
            (python, "-m", "tidegate_web"),
            gateway,
            "/v1/models/{model}:predict",
            settings={
                "TIDEGATE_HOST": "127.0.0.1",
                "TIDEGATE_HTTP_PORT": str(gateway),
                "TIDEGATE_OPS_PORT": str(ops),
                "TIDEGATE_BACKENDS": f"static:127.0.0.1:{grpc_port}",
                "TIDEGATE_DRAIN_S": "0",  # it stops at once; nothing else changes
                **settings,
            },
        ),
        Subject("flask", (python, str(HERE / "flask_app.py"), str(flask), str(rest_port)), flask, "/predict/{model}"),
    ]
