"""`endpointslice:SERVICE:PORT`: the ready endpoints of a Kubernetes Service, by list and watch.

Source: the EndpointSlice API, discovery.k8s.io/v1. Needs get, list and watch on endpointslices in its namespace.
"""

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from tidegate_web.serving.discovery.address import join, split
from tidegate_web.serving.discovery.trouble import Trouble
from tidegate_web.settings import SettingsError

log = logging.getLogger(__name__)

RETRY_S = 1.0
"""Seconds before the API server is asked again after a failure."""

WATCH_S = 240
"""Seconds after which the API server ends a watch, so that a dead connection is noticed."""

MAX_WORDS = 4096
"""Bytes that are read of an answer that refuses."""

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

Slice = Mapping[str, Any]


class ApiServerError(Exception):
    """The API server answered with an error; the text is its status and its own words."""


@dataclass(frozen=True, slots=True)
class ApiServer:
    """How to reach the Kubernetes API from inside a pod.

    Attributes:
        url: `https://host:port`.
        namespace: The pod's own.
        token_file: Holds the bearer token; read at each request, since the kubelet rotates it.
        ca_file: The certificates that the API server's is checked against; None for plain HTTP.
    """

    url: str
    namespace: str
    token_file: Path
    ca_file: Path | None

    @classmethod
    def of_pod(cls, environ: Mapping[str, str] = os.environ) -> "ApiServer":
        """Find it as every in-cluster client does.

        Raises:
            SettingsError: This is no pod, or its service account's token is not mounted.
        """
        host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
        if not host or not port or not (_SERVICE_ACCOUNT / "token").exists():
            raise SettingsError(
                "TIDEGATE_BACKENDS=endpointslice:… works inside a Kubernetes pod with a service account's token; "
                "elsewhere use static:host:port or dns:host:port"
            )
        return cls(
            url=f"https://{join(host, int(port))}",
            namespace=(_SERVICE_ACCOUNT / "namespace").read_text().strip(),
            token_file=_SERVICE_ACCOUNT / "token",
            ca_file=_SERVICE_ACCOUNT / "ca.crt",
        )


class EndpointSliceDiscovery:
    """The ready, not terminating endpoints of a Service.

    Args:
        rest: `SERVICE:PORT`, PORT being the pods' own.
        api: The API server.

    Raises:
        SettingsError: `rest` is something else.
    """

    def __init__(self, rest: str, api: ApiServer) -> None:
        self._service, self._port = split(rest)
        self._api = api
        self._trouble = Trouble()

    async def watch(self) -> AsyncIterator[frozenset[str]]:
        """Yield the addresses when they change. While the API server is away, the last known ones stand."""
        known: frozenset[str] | None = None
        async with aiohttp.ClientSession(connector=self._connector()) as session:
            while True:
                try:
                    async for addresses in self._list_and_watch(session):
                        if addresses != known:
                            known = addresses
                            yield addresses
                except (
                    ApiServerError,
                    aiohttp.ClientError,
                    TimeoutError,
                    OSError,
                    orjson.JSONDecodeError,
                    KeyError,
                ) as error:
                    if self._trouble.is_news(reason := _reason(error)):
                        log.warning("endpoints not watched", extra={"service": self._service, "reason": reason})
                    await asyncio.sleep(RETRY_S)

    def _connector(self) -> aiohttp.TCPConnector:
        if self._api.ca_file is None:
            return aiohttp.TCPConnector()
        return aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=self._api.ca_file))

    async def _list_and_watch(self, session: aiohttp.ClientSession) -> AsyncIterator[frozenset[str]]:
        """One list, then its watch until the API server ends it."""
        url = f"{self._api.url}/apis/discovery.k8s.io/v1/namespaces/{self._api.namespace}/endpointslices"
        selector = {"labelSelector": f"kubernetes.io/service-name={self._service}"}
        headers = {"Authorization": f"Bearer {self._api.token_file.read_text().strip()}"}
        ask = partial(
            session.get, url, headers=headers, allow_redirects=False
        )  # the token goes to the API server alone
        async with ask(params=selector, timeout=aiohttp.ClientTimeout(total=10)) as response:
            await _refuse_failure(response)
            listed = orjson.loads(await response.read())
        slices: dict[str, Slice] = {item["metadata"]["name"]: item for item in listed["items"]}
        yield self._ready(slices)
        watch = selector | {
            "watch": "true",
            "resourceVersion": listed["metadata"]["resourceVersion"],
            "timeoutSeconds": str(WATCH_S),
        }
        lasting = aiohttp.ClientTimeout(total=WATCH_S + 10, sock_connect=10)
        async with ask(params=watch, timeout=lasting, read_bufsize=2**22) as response:
            await _refuse_failure(response)
            if self._trouble.is_over():
                log.info("endpoints watched again", extra={"service": self._service})
            async for line in response.content:
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    log.info("endpoints listed again", extra={"reason": event["object"].get("message", "")})
                    return
                name = event["object"]["metadata"]["name"]
                if event["type"] == "DELETED":
                    slices.pop(name, None)
                else:
                    slices[name] = event["object"]
                yield self._ready(slices)

    def _ready(self, slices: Mapping[str, Slice]) -> frozenset[str]:
        return frozenset(
            join(address, self._port)
            for item in slices.values()
            for endpoint in item.get("endpoints") or ()
            if _is_ready(endpoint.get("conditions") or {})
            for address in endpoint["addresses"]
        )


async def _refuse_failure(response: aiohttp.ClientResponse) -> None:
    """Let a good answer pass.

    Raises:
        ApiServerError: The status is another than 200.
    """
    if response.status == HTTPStatus.OK:
        return
    body = await response.content.read(MAX_WORDS)
    try:
        words = orjson.loads(body)["message"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        words = response.reason
    raise ApiServerError(f"{response.status} {words}")


def _reason(error: Exception) -> str:
    """Say what may be logged: the repr of a ClientResponseError has the request's headers, and so the token."""
    return str(error) if isinstance(error, ApiServerError | aiohttp.ClientResponseError) else repr(error)


def _is_ready(conditions: Mapping[str, bool | None]) -> bool:
    """Unknown readiness counts as ready, as the API asks; a terminating endpoint gets no new calls."""
    return conditions.get("ready") is not False and not conditions.get("terminating")
