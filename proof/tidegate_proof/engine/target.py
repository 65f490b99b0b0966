"""Where requests go."""

import asyncio
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

HTTP = 80


class TargetError(Exception):
    """An address that cannot be loaded; the text says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A host and port that speak plain HTTP/1.1, and a path to post to."""

    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> "Target":
        """Read an address such as `http://127.0.0.1:8080/v1/models/and_gate:predict`.

        Raises:
            TargetError: It is no such address.
        """
        parts = urlsplit(url)
        try:
            port = parts.port or HTTP
        except ValueError:
            port = 0
        if parts.scheme != "http" or not parts.hostname or not port or parts.username or parts.fragment:
            raise TargetError(f"{url}: expected http://host:port/path (the engine speaks neither TLS nor log-ins)")
        path = parts.path or "/"
        return cls(parts.hostname, port, f"{path}?{parts.query}" if parts.query else path)

    @property
    def authority(self) -> str:
        """Host and port as in a Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    async def resolve(self) -> list[tuple[str, int]]:
        """Return every address of the host, in the resolver's order.

        Raises:
            TargetError: It has none.
        """
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise TargetError(f"{self.host}: expected a host with an address: {error}") from None
        return list(dict.fromkeys((str(address[0]), int(address[1])) for *_, address in found))

    def head(self, body: bytes) -> bytes:
        """Write the head of a request up to the value of X-Request-ID, which comes last."""
        return (
            f"POST {self.path} HTTP/1.1\r\nHost: {self.authority}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nX-Request-ID: "
        ).encode()
