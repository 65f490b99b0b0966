"""Which site a browser's post comes from.

A page of another site can make a browser post to this one. Browsers say so in headers that pages cannot set, so that
no token, and no state shared by the replicas, is needed. A proxy in front must pass the `Host` of the address bar on.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from tidegate_web.errors import Forbidden

DEFAULT_PORTS = {"http": 80, "https": 443}


def refuse_other_sites(headers: Mapping[str, str], host: str) -> None:
    """Let a post pass that comes from this host's own pages, or from a program that is no browser.

    Args:
        headers: The request's.
        host: Its `Host`.

    Raises:
        Forbidden: `Sec-Fetch-Site` or `Origin` names another site. `Origin`'s scheme does not count: a proxy may have
            taken TLS off.
    """
    site = headers.get("Sec-Fetch-Site", "").lower()
    origin = headers.get("Origin")
    unnamed_neighbour = site == "same-site" and origin is None
    if site == "cross-site" or unnamed_neighbour or (origin is not None and not _is_of(origin, host)):
        raise Forbidden("This form was sent by a page of another site. Open it here, and send it from here.")


def _is_of(origin: str, host: str) -> bool:
    """Whether an origin, `null` or `scheme://host[:port]`, is of a host."""
    try:
        parts = urlsplit(origin)
        named = parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)
        here = urlsplit(f"{parts.scheme}://{host}")
        return parts.hostname is not None and named == (here.hostname, here.port or DEFAULT_PORTS.get(parts.scheme))
    except ValueError:
        return False
