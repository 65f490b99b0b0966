"""The kubectl that the user has: whatever way of logging in a cluster wants, kubectl knows it."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

PROXY_STARTS_S = 30.0
PROXY_ENDS_S = 5.0

WHILE_WE_LIVE = '"$@" & read -r _; kill $!; wait'
"""Runs a command until standard input ends, which it does when this process ends, however that comes about."""


class KubectlError(Exception):
    """kubectl is not there, refused, or took too long; the text has its own words."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Runs kubectl.

    Attributes:
        path: Of the program.
        options: Given to every command, such as `--context=…`.
    """

    path: str
    options: tuple[str, ...] = ()

    @classmethod
    def find(cls, context: str | None = None) -> "Kubectl":
        """Find it on the PATH.

        Raises:
            KubectlError: It is not there.
        """
        path = shutil.which("kubectl")
        if path is None:
            raise KubectlError("expected kubectl on the PATH, found none: see https://kubernetes.io/docs/tasks/tools")
        return cls(path, (f"--context={context}",) if context else ())

    async def run(self, *arguments: str, stdin: str | None = None, timeout_s: float = 60.0) -> str:
        """Run a command; gives what it printed.

        Raises:
            KubectlError: It failed or took longer.
        """
        process = await asyncio.create_subprocess_exec(
            self.path,
            *self.options,
            *arguments,
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C at the terminal is for us to act on
        )
        shown = f"kubectl {' '.join(arguments)}"
        try:
            async with asyncio.timeout(timeout_s):
                out, err = await process.communicate(stdin.encode() if stdin is not None else None)
        except TimeoutError:
            raise KubectlError(f"{shown}: expected an end within {timeout_s:g} s, came none") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise KubectlError(f"{shown}: {err.decode(errors='replace').strip() or f'exit code {process.returncode}'}")
        return out.decode()

    @contextlib.asynccontextmanager
    async def proxy(self) -> AsyncIterator[Path]:
        """Serve the cluster's API on a socket that only this user can open, between entering and leaving.

        One process for a whole run: a kubectl for every look would cost more processor than what it looks at.

        Raises:
            KubectlError: It did not begin to serve.
        """
        with tempfile.TemporaryDirectory(prefix="tidegate-proof-") as folder:  # mode 0700
            socket = Path(folder) / "api"
            process = await asyncio.create_subprocess_exec(
                *("sh", "-c", WHILE_WE_LIVE, "sh", self.path, *self.options, "proxy", f"--unix-socket={socket}"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                await _serving(process, socket)
                yield socket
            finally:
                await _end(process)


async def _serving(process: asyncio.subprocess.Process, socket: Path) -> None:
    assert process.stdout is not None  # noqa: S101 it was asked for
    try:
        async with asyncio.timeout(PROXY_STARTS_S):
            said = (await process.stdout.readline()).decode(errors="replace").strip()
            while not socket.exists():  # noqa: ASYNC240 one look at a file's name
                if not said.startswith("Starting"):
                    raise KubectlError(f"kubectl proxy: {said or 'it ended at once'}")
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise KubectlError(f"kubectl proxy: expected it to serve within {PROXY_STARTS_S:g} s") from None


async def _end(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None  # noqa: S101 it was asked for
    process.stdin.close()
    try:
        async with asyncio.timeout(PROXY_ENDS_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
