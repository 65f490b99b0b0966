"""Client connections within bounds."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop
from aiohttp import web

from tidegate_web.server.connections import BoundedRunner, ConnectionLimits

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def hello(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(float(request.headers.get("X-Delay", "0")))
    return web.Response(body=await request.read() or b"hello")


class Bounded:
    """A server with limits, and how many it refused."""

    def __init__(self) -> None:
        self.refused = 0
        self.port = 0

    def count(self) -> None:
        self.refused += 1

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)


@asynccontextmanager
async def bounded(most: int = 100, head_s: float = 10.0) -> AsyncIterator[Bounded]:
    server = Bounded()
    app = web.Application()
    app.add_routes([web.route("*", "/", hello)])
    limits = ConnectionLimits(most, server.count, head_s)
    runner = BoundedRunner(app, limits, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.port = runner.addresses[0][1]
        yield server
    finally:
        await runner.cleanup()


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    async with asyncio.timeout(10):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
    return int(first.split()[1]), headers, body


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether the connection ends with nothing said; it is reset where bytes of ours were still on the way."""
    async with asyncio.timeout(10):
        try:
            return await reader.read() == b""
        except ConnectionResetError:
            return True


async def test_a_connection_too_many_is_told_to_come_back_and_there_is_room_again_later():
    async with bounded(most=2) as server:
        kept = [await server.connect() for _ in range(2)]
        for reader, writer in kept:
            writer.write(GET)
            assert (await answer(reader))[0] == 200
        reader, writer = await server.connect()
        writer.write(GET)
        status, headers, body = await answer(reader)
        assert (status, headers["retry-after"], headers["connection"]) == (429, "1", "close")
        details = json.loads(body)["details"]
        assert (details["code"], details["request_id"]) == ("overloaded", headers["x-request-id"])
        assert await ended(reader)
        writer.close()
        assert server.refused == 1
        kept[0][1].close()
        async with asyncio.timeout(10):
            while True:
                reader, writer = await server.connect()
                writer.write(GET)
                status, *_ = await answer(reader)
                writer.close()
                if status == 200:
                    break
        kept[1][1].close()


async def test_a_head_that_does_not_end_is_cut_off():
    async with bounded(head_s=0.2) as server:
        reader, writer = await server.connect()
        writer.write(GET[:-2])
        assert await ended(reader)
        writer.close()


async def test_a_head_that_trickles_does_not_gain_time_by_it():
    async with bounded(head_s=0.3) as server:
        reader, writer = await server.connect()
        reading = asyncio.create_task(ended(reader))
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        for _ in range(1000):
            if reading.done():
                break
            writer.write(b"x")
            await asyncio.sleep(0.02)
        assert await reading
        writer.close()


async def test_neither_an_idle_connection_nor_a_slow_body_is_a_slow_head():
    async with bounded(head_s=0.1) as server:
        reader, writer = await server.connect()
        for _ in range(2):
            await asyncio.sleep(0.3)
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
            await asyncio.sleep(0.3)
            writer.write(b"b")
            assert (await answer(reader))[2] == b"ab"
        writer.close()


def test_a_body_that_comes_while_its_request_is_taken_up_is_no_slow_head():
    """On the gateway's own event loop: which callback comes first is the loop's choice."""

    async def ask_often() -> None:
        async with bounded(head_s=0.05) as server:
            for _ in range(20):
                reader, writer = await server.connect()
                writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nX-Delay: 0.1\r\nContent-Length: 1000000\r\n\r\n")
                writer.write(bytes(1_000_000))
                assert (await answer(reader))[0] == 200
                writer.close()

    uvloop.run(ask_often())


@pytest.mark.parametrize("path", ["/", "/nowhere"])
@pytest.mark.parametrize(("given", "kept"), [("mine", True), ("x" * 129, False), ("", False)])
async def test_an_expectation_that_nobody_can_meet_is_answered_by_the_error_table(path, given, kept):
    async with bounded() as server:
        reader, writer = await server.connect()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nExpect: nix\r\nX-Request-ID: {given}\r\n\r\n".encode())
        status, headers, body = await answer(reader)
        document = json.loads(body)
        assert (status, headers["server"], headers["content-type"]) == (417, "Tidegate", "application/json")
        assert document["error"].startswith("Expect: ")
        assert document["details"]["code"] == "http_417"
        assert document["details"]["request_id"] == headers["x-request-id"]
        assert (headers["x-request-id"] == given) is kept
        writer.write(GET)
        assert (await answer(reader))[0] == 200
        writer.close()


async def test_a_body_that_is_expected_is_asked_for():
    async with bounded() as server:
        reader, writer = await server.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        async with asyncio.timeout(10):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ab")
        assert (await answer(reader))[2] == b"ab"
        writer.close()


async def test_bytes_that_are_no_http_are_answered_by_the_error_table_and_not_repeated():
    async with bounded() as server:
        reader, writer = await server.connect()
        writer.write(b"<script> HTTP/1.1\r\n\r\n")
        status, headers, body = await answer(reader)
        document = json.loads(body)
        assert (status, document["details"]["code"]) == (400, "bad_input")
        assert document["details"]["request_id"] == headers["x-request-id"]
        assert document["error"].startswith("Malformed request: ")
        assert b"script" not in body
        assert await ended(reader)
        writer.close()
