"""Listening on a port, and leaving it so that nothing is lost."""

import asyncio
import contextlib
import errno
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from tidegate_web.server.connections import HEAD_S, BoundedRunner, BoundedServer, ConnectionLimits
from tidegate_web.server.fast_front import FastFronts
from tidegate_web.settings import SettingsError

BACKLOG = 1024

KEEPALIVE_S = 75.0
"""How long an idle client connection is kept; longer than usual load balancers' 60 s, so that they close first."""

SHUTDOWN_GRACE_S = 1.0
"""What requests in flight may take over their own time-out before they are cut off."""


@dataclass(frozen=True, slots=True)
class Port:
    """Where to listen.

    Attributes:
        host: Address.
        number: Port; 0 for any.
        setting: The setting's name, for the message when it is taken.
        tls: Certificates to show; None for plain text.
    """

    host: str
    number: int
    setting: str
    tls: ssl.SSLContext | None = None


async def nothing() -> None:
    """Have nothing to finish."""


@contextlib.asynccontextmanager
async def listening(
    app: web.Application,
    port: Port,
    limits: ConnectionLimits,
    finish: Callable[[], Awaitable[None]] = nothing,
    fast: Callable[[BoundedServer], FastFronts] | None = None,
) -> AsyncIterator[str]:
    """Listen; on leaving, stop accepting, let requests in flight `finish`, and close.

    They finish before aiohttp's own shutdown: that one drops what still arrives of a request's body.

    Args:
        app: What answers.
        port: Where.
        limits: What client connections may take.
        finish: Waits for the requests in flight.
        fast: Makes the fast way in, in front of aiohttp's protocol.

    Raises:
        SettingsError: The port is not to be had.
    """
    runner = BoundedRunner(
        app,
        limits,
        access_log=None,
        handler_cancellation=True,
        keepalive_timeout=KEEPALIVE_S,
        shutdown_timeout=SHUTDOWN_GRACE_S,
        auto_decompress=False,  # request_body does
    )
    await runner.setup()
    plain = runner.bounded
    try:
        if fast is None:
            async with _bound(plain, port) as address:
                yield address
            await finish()
        else:
            fronts = fast(plain)
            sweeping = asyncio.create_task(fronts.sweep())
            try:
                async with _bound(fronts.connection, port) as address:
                    yield address
                await fronts.retire()
                await finish()
            finally:
                sweeping.cancel()
                fronts.close()
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def _bound(protocol: Callable[[], asyncio.Protocol], port: Port) -> AsyncIterator[str]:
    """Accept connections; gives the address as a URL."""
    try:
        server = await asyncio.get_running_loop().create_server(
            protocol,
            port.host,
            port.number,
            backlog=BACKLOG,
            ssl=port.tls,
            ssl_handshake_timeout=None if port.tls is None else HEAD_S,
        )
    except OSError as error:
        why = "another program listens there" if error.errno == errno.EADDRINUSE else error.strerror
        raise SettingsError(
            f"{port.setting}: cannot listen on {port.host}:{port.number}: {why}; choose another port"
        ) from None
    try:
        scheme = "http" if port.tls is None else "https"
        yield "{}://{}:{}/".format(scheme, *server.sockets[0].getsockname()[:2])
    finally:
        server.close()
