"""The ports of `make run`, and whether they are free."""

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass, fields

HOST = "127.0.0.1"
"""Where all of them listen: what `make run` serves is for this machine alone."""

HIGHEST = 2**16 - 1


class PortError(Exception):
    """A port that cannot be used; the text says how to choose another."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where things listen; each is a variable of `make run`."""

    http_port: int = 8080
    ops_port: int = 8081
    grpc_port: int = 8500
    rest_port: int = 8501

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Ports":
        """Read HTTP_PORT, OPS_PORT, GRPC_PORT and REST_PORT.

        Raises:
            PortError: Not a port number, or one number twice.
        """
        chosen: dict[str, int] = {}
        for spec in fields(cls):
            text = environ.get(spec.name.upper()) or str(spec.default)
            if not text.isascii() or not text.isdigit() or not 0 < int(text) <= HIGHEST:
                raise PortError(f"{spec.name.upper()}={text}: expected a port number from 1 to {HIGHEST}")
            if int(text) in chosen.values():
                raise PortError(f"{spec.name.upper()}={text}: that port is chosen twice")
            chosen[spec.name] = int(text)
        return cls(**chosen)

    def check_free(self) -> None:
        """Try each port.

        Raises:
            PortError: One is taken.
        """
        for spec in fields(self):
            variable, port = spec.name.upper(), getattr(self, spec.name)
            with socket.socket() as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    trial.bind((HOST, port))
                except OSError as error:
                    why = "another program listens there" if error.errno == errno.EADDRINUSE else error.strerror
                    raise PortError(
                        f"port {port} cannot be used: {why}. Is `make run` running already? "
                        f"Choose another: make run {variable}={port + 1000 if port + 1000 <= HIGHEST else 9000}"
                    ) from None
