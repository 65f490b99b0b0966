"""A server that fails in every way that a generator must tell apart."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

RIGHT = b'{"predictions": [[0.008, 0.992]]}'
WRONG = b'{"predictions": [[0.992, 0.008]]}'


@dataclass
class Asked:
    """One request as the server sees it."""

    id: bytes
    body: bytes
    number_on_connection: int
    writer: asyncio.StreamWriter

    def answer(self, body: bytes = RIGHT, status: bytes = b"200 OK", more: bytes = b"", answers: bytes = b"") -> None:
        self.writer.write(
            b"HTTP/1.1 %b\r\nContent-Length: %d\r\nX-Request-ID: %b\r\n%b\r\n%b"
            % (status, len(body), answers or self.id, more, body)
        )


Behaviour = Callable[[Asked], Awaitable[None]]


async def well(asked: Asked) -> None:
    asked.answer(more=b"Tidegate-Pod: web-1\r\nTidegate-Backend: 10.0.0.9:8500\r\nTidegate-Seq: 7\r\n")


async def then_closes(asked: Asked) -> None:
    asked.answer(more=b"connection: Close\r\n")
    asked.writer.close()


async def in_pieces(asked: Asked) -> None:
    whole = b"HTTP/1.1 200 OK\r\ncontent-length:%d\r\n\r\n%b" % (len(RIGHT), RIGHT)
    for at in range(0, len(whole), 7):
        asked.writer.write(whole[at : at + 7])
        await asked.writer.drain()
        await asyncio.sleep(0)


async def in_chunks(asked: Asked) -> None:
    asked.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\n" + RIGHT[:5] + b"\r\n")
    await asyncio.sleep(0.01)
    asked.writer.write(b"%x\r\n" % len(RIGHT[5:]) + RIGHT[5:] + b"\r\n0\r\nTrailer: x\r\n\r\n")


async def after_early_hints(asked: Asked) -> None:
    asked.writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
    asked.answer()


async def closes(asked: Asked) -> None:
    asked.writer.close()


async def resets(asked: Asked) -> None:
    asked.writer.transport.abort()


async def stops_half_way(asked: Asked) -> None:
    asked.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 33\r\n\r\n{")
    await asyncio.sleep(0.01)
    asked.writer.close()


async def stalls(_: Asked) -> None:
    await asyncio.sleep(30)


async def stalls_half_way(asked: Asked) -> None:
    asked.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 33\r\n\r\n{")
    await asyncio.sleep(30)


async def speaks_no_http(asked: Asked) -> None:
    asked.writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")


async def never_ends_its_head(asked: Asked) -> None:
    asked.writer.write(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000)


async def threatens_a_gigabyte(asked: Asked) -> None:
    asked.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")


async def says_too_much(asked: Asked) -> None:
    asked.answer()
    asked.answer()


async def is_wrong(asked: Asked) -> None:
    asked.answer(WRONG)


async def nests(asked: Asked) -> None:
    asked.answer(b"[" * 100_000)


async def answers_another(asked: Asked) -> None:
    asked.answer(answers=b"somebody-else")


async def breaks(asked: Asked) -> None:
    asked.answer(b"{}", b"500 Internal Server Error")


async def is_overloaded(asked: Asked) -> None:
    asked.answer(b"{}", b"429 Too Many Requests", b"Retry-After: 1\r\n")


async def is_unavailable(asked: Asked) -> None:
    asked.answer(b"{}", b"503 Service Unavailable", b"Retry-After: 1\r\n")


async def closes_when_asked_again(asked: Asked) -> None:
    if asked.number_on_connection == 1:
        asked.answer()
    else:
        asked.writer.close()


@dataclass
class Server:
    """Where it listens, and the ids that it was asked, in order."""

    port: int
    asked: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/models/and_gate:predict"


@asynccontextmanager
async def failing(behaviour: Behaviour) -> AsyncIterator[Server]:
    """Serve on a free port; what still runs at the end is ended."""
    server = Server(0)
    handlers: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        server.connections += 1
        number = 0
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(re.search(rb"Content-Length: (\d+)", head)[1]))  # type: ignore[index]
                number += 1
                asked = Asked(re.search(rb"X-Request-ID: (\S+)", head)[1], body, number, writer)  # type: ignore[index]
                server.asked.append(asked.id)
                await behaviour(asked)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            handlers.discard(task)
            writer.transport.abort()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for handler in list(handlers):
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        await listening.wait_closed()
        await asyncio.sleep(0)
