"""A server that answers predictions of the AND gate at once and right: what is measured is who asks.

python benchmarks/generator/gate_server.py PORT
"""

import asyncio
import sys
from typing import cast

import orjson
import uvloop

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTidegate-Pod: gate\r\nTidegate-Backend: 127.0.0.1:8500\r\n"
)
ANSWERS = {"instances": "predictions", "inputs": "outputs"}
SHARES = ([0.992, 0.008], [0.008, 0.992])


def header(head: bytes, name: bytes) -> bytes:
    """Return a header's value; empty where there is none."""
    at = head.lower().find(b"\r\n" + name + b":")
    return b"" if at < 0 else head[at + len(name) + 3 :].partition(b"\r")[0].strip()


def answer(head: bytes, body: bytes) -> bytes:
    """Write the answer to a request."""
    ((asked, rows),) = orjson.loads(body).items()
    said = orjson.dumps({ANSWERS[asked]: [SHARES[row[0] != 0 and row[1] != 0] for row in rows]})
    request_id = header(head, b"x-request-id")
    return b"%bX-Request-ID: %b\r\nContent-Length: %d\r\n\r\n%b" % (HEAD, request_id, len(said), said)


class Answering(asyncio.Protocol):
    """One connection; requests may come in pieces."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._received = b""

    def data_received(self, data: bytes) -> None:
        """Answer when the request is whole."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(header(head, b"content-length") or 0)
        if len(body) >= length:
            self._received = body[length:]
            self._transport.write(answer(head, body[:length]))


async def serve(port: int) -> None:
    """Serve until ended."""
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
