"""A server that answers every POST at once with the same right answer: what is measured is who asks.

python benchmarks/generator/fast_server.py PORT
"""

import asyncio
import sys
from typing import cast

import uvloop

BODY = b'{"predictions": [[0.008, 0.992]]}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
LENGTH = b"content-length:"


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
        low = head.lower()
        at = low.find(LENGTH)
        length = 0 if at < 0 else int(low[at + len(LENGTH) :].partition(b"\r")[0])
        if len(body) >= length:
            self._received = body[length:]
            self._transport.write(ANSWER)


async def serve(port: int) -> None:
    """Serve until ended."""
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
