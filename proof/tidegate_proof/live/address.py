"""Where the gateway is reached from here, and whether that way leads to all of its pods."""

import asyncio
import contextlib
import ipaddress
import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from tidegate_proof.live.api import Api, Object

TRIED_S = 60.0
CONNECT_S = 2.0


class AddressError(Exception):
    """No address of the gateway can be reached from here."""


async def find(api: Api, namespace: str, given: str | None) -> str:
    """Return the gateway's address, such as `http://127.0.0.1:30080`.

    A node's port or a load balancer's address that takes a connection; the one given, where there is one.

    Raises:
        AddressError: None takes a connection.
    """
    tried: list[str] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(TRIED_S):
            while True:
                tried = [given] if given else [*candidates(*await _service(api, namespace))]
                for url in tried:
                    if await _connects(url):
                        return url.rstrip("/")
                await asyncio.sleep(1)
    raise AddressError(
        f"expected an address of the gateway that takes connections, tried {', '.join(tried) or 'none'}; "
        "name one by --url"
    )


def candidates(service: Object, nodes: Iterable[Object]) -> Iterator[str]:
    """Give where the gateway may be: its load balancer, its node port on this machine, on a node.

    Args:
        service: `tidegate-web`.
        nodes: Of the cluster.
    """
    port = service["spec"]["ports"][0]
    for ingress in service.get("status", {}).get("loadBalancer", {}).get("ingress") or ():
        yield f"http://{ingress.get('ip') or ingress['hostname']}:{port['port']}"
    if "nodePort" in port:
        yield f"http://127.0.0.1:{port['nodePort']}"
        for node in nodes:
            for address in node["status"]["addresses"]:
                if address["type"] == "InternalIP":
                    yield f"http://{address['address']}:{port['nodePort']}"


def is_loopback(url: str) -> bool:
    """Whether an address is this machine itself."""
    host = urlsplit(url).hostname or ""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def port_forward(url: str, processes: Iterable[str]) -> str | None:
    """Return the process that forwards this address to one pod; None where none does.

    Args:
        url: The gateway's address.
        processes: Command lines of this machine.
    """
    if not is_loopback(url):
        return None
    port = urlsplit(url).port or 80
    local = re.compile(rf"(?<![\d:]){port}(?!\d)")  # as in `port-forward svc/x 8080` or `8080:80`, not `80:8080`
    return next((line for line in processes if " port-forward " in line and local.search(line)), None)


async def _service(api: Api, namespace: str) -> tuple[Object, list[Object]]:
    service = await api.get(f"/api/v1/namespaces/{namespace}/services/tidegate-web")
    return service, (await api.get("/api/v1/nodes"))["items"]


async def _connects(url: str) -> bool:
    parts = urlsplit(url)
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
        writer.close()
        return True
    return False
