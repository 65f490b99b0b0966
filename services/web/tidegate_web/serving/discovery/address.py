"""`host:port` with the brackets that IPv6 asks for."""

from ipaddress import IPv6Address

from tidegate_web.settings import SettingsError


def join(host: str, port: int) -> str:
    """Write `host:port`, or `[host]:port` for an IPv6 address."""
    try:
        return f"[{IPv6Address(host)}]:{port}"
    except ValueError:
        return f"{host}:{port}"


def split(address: str) -> tuple[str, int]:
    """Read `host:port` or `[ipv6]:port`.

    Raises:
        SettingsError: It is neither, or the port is not from 1 to 65535.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 2**16:
        raise SettingsError(f"TIDEGATE_BACKENDS: expected host:port, came {address!r}")
    return host.removeprefix("[").removesuffix("]"), int(port)
