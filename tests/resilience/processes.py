"""The processes under trial: gateways and stub model servers, on loopback."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.ports import free_port
from tests.resilience.load import Answer, Load, LostError, connect, get

ROOT = Path(__file__).resolve().parents[2]
START_S = 20.0
STOP_S = 30.0


class TrialError(Exception):
    """The trial itself could not be held; the text says why."""


class Child:
    """A process of ours and what it writes on standard error."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str] | None = None) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TIDEGATE_")}
        self.log = log
        self._output = log.open("ab")
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=inherited | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._output,
        )

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end; gives the exit code."""
        async with asyncio.timeout(STOP_S):
            while (code := self.process.poll()) is None:
                await asyncio.sleep(0.01)
        return code

    async def stop(self) -> int:
        """Ask it to stop, and wait."""
        self.send(signal.SIGTERM)
        return await self.ended()

    async def kill(self) -> None:
        """End it without warning."""
        self.process.kill()
        await self.ended()

    def dispose(self) -> None:
        """End it if it runs, and give back its pipes."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._output.close()

    def words(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(errors="replace")[-1500:]

    def resident_bytes(self) -> int:
        """Return its resident memory, from /proc."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


class ModelServer(Child):
    """A stub model server (tests/doubles/model_server.py)."""

    def __init__(self, address: str, log: Path, *flags: str) -> None:
        self.address = address
        self.flags = flags
        command = [sys.executable, "-m", "tests.doubles.model_server", "--listen", address, *flags]
        super().__init__(command, log)

    async def listening(self) -> None:
        """Wait until it takes connections."""
        host, _, port = self.address.rpartition(":")
        deadline = time.monotonic() + START_S
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise TrialError(f"the model server did not start: {self.words()}") from None
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return

    async def counts(self) -> dict[str, Any]:
        """Ask what reached it so far."""
        self.send(signal.SIGUSR1)
        return await self._line()

    async def _line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        readable = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self.process.stdout, readable.set)
        try:
            async with asyncio.timeout(STOP_S):
                await readable.wait()
        finally:
            loop.remove_reader(self.process.stdout)
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found


class Gateway(Child):
    """A gateway, with the settings given; in a pod's surroundings where `pod` has any."""

    def __init__(self, backends: str, log: Path, settings: dict[str, str], pod: dict[str, str] | None = None) -> None:
        self.http, self.ops = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        self._backends, self._settings, self._pod = backends, settings, pod
        module = "tests.doubles.gateway_in_a_pod" if pod else "tidegate_web"
        environment = {
            "TIDEGATE_HOST": "127.0.0.1",
            "TIDEGATE_HTTP_PORT": self.http.rpartition(":")[2],
            "TIDEGATE_OPS_PORT": self.ops.rpartition(":")[2],
            "TIDEGATE_BACKENDS": backends,
            "TIDEGATE_DRAIN_S": "0",
            "TIDEGATE_EXPOSE_ROUTE": "1",
        }
        super().__init__([sys.executable, "-m", module], log, environment | settings | (pod or {}))

    async def ready(self) -> None:
        """Wait until it says that it is ready."""
        deadline = time.monotonic() + START_S
        while True:
            with contextlib.suppress(LostError):
                if (await ask(self.ops, get("/readyz"))).status == 200:
                    return
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise TrialError(f"the gateway did not start: {self.words()}")
            await asyncio.sleep(0.01)


async def ask(address: str, request: bytes) -> Answer:
    """Ask once on a connection of its own."""
    connection = await connect(address)
    try:
        return await connection.ask(request)
    finally:
        connection.close()


@dataclass
class Stage:
    """Where the processes of one trial are started, and ended at its end.

    Attributes:
        folder: For logs and files.
    """

    folder: Path
    children: list[Child] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def model_server(self, *flags: str, address: str = "") -> ModelServer:
        """Start a stub model server and wait until it listens."""
        server = ModelServer(address or f"127.0.0.1:{free_port()}", self._log("model-server"), *flags)
        self.children.append(server)
        await server.listening()
        return server

    async def again(self, server: ModelServer) -> ModelServer:
        """Start a stub as the one that ended there."""
        return await self.model_server(*server.flags, address=server.address)

    async def gateway(self, backends: str, pod: dict[str, str] | None = None, **settings: str) -> Gateway:
        """Start a gateway with TIDEGATE_ settings given in lower case, and wait until it is ready."""
        named = {f"TIDEGATE_{name.upper()}": value for name, value in settings.items()}
        gateway = Gateway(backends, self._log("gateway"), named, pod)
        self.children.append(gateway)
        await gateway.ready()
        return gateway

    def _log(self, kind: str) -> Path:
        return self.folder / f"{kind}-{next(self._numbers)}.log"


def static(*servers: ModelServer) -> str:
    """Name model servers as TIDEGATE_BACKENDS does."""
    return "static:" + ",".join(server.address for server in servers)


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """Hold a trial; every process that it started is ended."""
    stage = Stage(folder)
    try:
        yield stage
    finally:
        for child in stage.children:
            child.dispose()


@contextlib.asynccontextmanager
async def loaded(load: Load, per_second: float) -> AsyncIterator[None]:
    """Keep up a load while the body runs, and wait for its last answers."""
    task = asyncio.create_task(load.open(per_second))
    try:
        yield
        load.stop()
        await task
    finally:
        load.close()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
