"""`make loadtest`: ask whether anybody is at the address that is to be loaded, then become Locust.

Locust's arguments are handed on. HTTP_PORT is the port of a `make run` on this machine.
"""

import argparse
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn
from urllib.parse import urlsplit

from ports import HOST, PortError, Ports

SCHEMES = {"http": 80, "https": 443}

LOADS_NOTHING = {"-h", "--help", "-V", "--version", "-l", "--list", "--worker"}
"""Arguments with which Locust asks nobody, or is told later whom."""

ANSWER_S = 5.0
"""How long a connection may take."""


class HostError(Exception):
    """An address that cannot be loaded; the text says what to do."""


def main(arguments: Sequence[str]) -> NoReturn:
    """Become Locust; exit code 2 where nobody could answer it."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-H", "--host", default="")
    chosen, _ = parser.parse_known_args(arguments)
    try:
        host = chosen.host or _host(os.environ)
        if not LOADS_NOTHING & set(arguments):
            check(host)
    except (HostError, PortError) as error:
        sys.stderr.write(f"\ntidegate: {error}\n")
        sys.exit(2)
    sys.stdout.flush()
    locust = [sys.executable, "-m", "locust", "-f", "loadtest", "--host", host]
    os.execv(sys.executable, [*locust, *arguments])  # noqa: S606 its exit code is ours


def _host(environ: Mapping[str, str]) -> str:
    return environ.get("LOADTEST_HOST") or f"http://{HOST}:{Ports.from_environ(environ).http_port}"


def check(host: str) -> None:
    """Open a connection.

    Raises:
        HostError: It is no address, or nobody listens there.
    """
    address = urlsplit(host)
    try:
        port = address.port or SCHEMES.get(address.scheme, 0)
    except ValueError:
        port = 0
    if address.scheme not in SCHEMES or not address.hostname or not port:
        raise HostError(f"HOST={host}: expected an address such as http://{HOST}:8080")
    try:
        socket.create_connection((address.hostname, port), timeout=ANSWER_S).close()
    except OSError as error:
        raise HostError(
            f"nobody answers at {host} ({error.strerror or error}): start `make run` in another terminal, "
            "or name another address: make loadtest HOST=http://…, HTTP_PORT=… for a `make run` with another port"
        ) from None


if __name__ == "__main__":
    main(sys.argv[1:])
