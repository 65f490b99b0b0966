"""Clients that misbehave below HTTP: what each does to its socket, and how its connection must end."""

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable

from tests.fuzz.grammar import request

BODY = b'{"instances":[[5,0]]}'
WHOLE = request(BODY)
LONG_HEAD = request(headers=(("Content-Length", "100000"), ("X-Request-Timeout", "0.5")))

Address = tuple[str, int]
Behaviour = Callable[[Address], Awaitable[bytes]]


async def _read_all(reader: asyncio.StreamReader, patience_s: float) -> bytes:
    try:
        async with asyncio.timeout(patience_s):
            return await reader.read()
    except ConnectionError:
        return b"reset"


async def half_closed(address: Address) -> bytes:
    """Send a request and close the sending side: the gateway takes it for a client that left."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(WHOLE)
    writer.write_eof()
    heard = await _read_all(reader, 10)
    writer.transport.abort()
    return heard


async def reset(address: Address) -> bytes:
    """Send half a request and reset the connection."""
    _, writer = await asyncio.open_connection(*address)
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.write(WHOLE[:-5])
    await writer.drain()
    writer.transport.abort()
    return b""


async def early_close(address: Address) -> bytes:
    """Send a request and leave before its answer."""
    _, writer = await asyncio.open_connection(*address)
    writer.write(WHOLE)
    await writer.drain()
    writer.close()
    return b""


async def silent(address: Address) -> bytes:
    """Connect and say nothing."""
    _, writer = await asyncio.open_connection(*address)
    await asyncio.sleep(0.2)
    writer.close()
    return b""


async def pipelined(address: Address) -> bytes:
    """Send fifty requests at once, the last with `Connection: close`."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(WHOLE * 49 + request(BODY, headers=(("Connection", "close"),)))
    heard = await _read_all(reader, 20)
    writer.close()
    return heard


async def tls(address: Address) -> bytes:
    """Begin a TLS handshake on the plain port."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03")
    heard = await _read_all(reader, 10)
    writer.close()
    return heard


async def one_byte_at_a_time(address: Address) -> bytes:
    """Send a request byte by byte, but within its time."""
    reader, writer = await asyncio.open_connection(*address)
    for byte in request(BODY, headers=(("Connection", "close"),)):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    heard = await _read_all(reader, 10)
    writer.close()
    return heard


async def trickle(address: Address, first: bytes, every_s: float, patience_s: float) -> tuple[float, bytes]:
    """Send something, then a byte now and then until the gateway closes; gives the seconds, and what it said.

    Raises:
        TimeoutError: It did not close in time.
    """
    reader, writer = await asyncio.open_connection(*address)
    started = time.monotonic()
    writer.write(first)
    reading = asyncio.create_task(_read_all(reader, patience_s))
    while not reading.done() and not writer.is_closing():
        try:
            writer.write(b"x")
            await writer.drain()
        except ConnectionError:
            break
        await asyncio.wait([reading], timeout=every_s)
    heard = await reading
    took_s = time.monotonic() - started
    writer.transport.abort()
    return took_s, heard


BEHAVIOURS: dict[str, Behaviour] = {
    "half closed": half_closed,
    "reset": reset,
    "early close": early_close,
    "silent": silent,
    "pipelined": pipelined,
    "tls": tls,
    "one byte at a time": one_byte_at_a_time,
}
