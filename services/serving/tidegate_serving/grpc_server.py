"""The gRPC side: ports, TLS, health and reflection around what answers the methods."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from tidegate_proto.server_config_pb2 import SSLConfig
from tidegate_proto.services import Method, register
from tidegate_serving.reflection import descriptors
from tidegate_serving.servicer import reading
from tidegate_serving.settings import Settings

QUEUE = 4096
"""Calls that may wait for a thread; past it RESOURCE_EXHAUSTED."""

OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),  # a second server on the port must fail, not share it
)

Behaviours = Mapping[Method[Any, Any], Callable[[Any, grpc.ServicerContext], Any]]


class PortError(Exception):
    """A port or socket is not to be had; the text says which and what to do."""


class GrpcServer:
    """A server that has its ports and is not started.

    Args:
        settings: Ports, TLS and gRPC's own arguments.
        threads: Where calls are answered.
        behaviours: What answers each method.

    Raises:
        PortError: A port is not to be had, or key and certificates are none.
    """

    def __init__(self, settings: Settings, threads: ThreadPoolExecutor, behaviours: Behaviours) -> None:
        self._server = grpc.server(
            threads,
            options=(*OPTIONS, *settings.channel_arguments),
            maximum_concurrent_rpcs=settings.grpc_max_threads + QUEUE,
        )
        register(self._server, behaviours, reading)
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._services = sorted({method.service for method in behaviours})
        names = [*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(names, self._server, descriptors(behaviours))
        self.port = self._listen(settings)

    def start(self) -> None:
        """Answer from now on."""
        self._server.start()

    def tell_health(self, *, serving: bool) -> None:
        """Say whether predictions can be had: for the whole, and for each service."""
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", *self._services):
            self._health.set(name, status)

    def say_farewell(self) -> None:
        """Say NOT_SERVING from now on, whatever `tell_health` is told."""
        self._health.enter_graceful_shutdown()

    def stop(self, grace_s: float) -> threading.Event:
        """Take no new calls; the event is set when those in flight are done, or have had their time."""
        stopped: threading.Event = self._server.stop(grace_s)
        return stopped

    def _listen(self, settings: Settings) -> int:
        address = f"{settings.listen_address}:{settings.port}"
        try:
            if settings.ssl is None:
                port = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, _credentials(settings.ssl))
        except RuntimeError:
            raise PortError(f"port {settings.port} is taken: choose another with --port=NUMBER") from None
        if settings.socket_path:
            self._listen_on_socket(settings.socket_path)
        return port

    def _listen_on_socket(self, path: str) -> None:
        if Path(path).is_socket():
            Path(path).unlink()  # of a server that was killed: gRPC does not take it over
        try:
            self._server.add_insecure_port(f"unix:{path}")
        except RuntimeError:
            raise PortError(f"--grpc_socket_path={path}: no socket can be made there") from None


def _credentials(config: SSLConfig) -> grpc.ServerCredentials:
    if not config.server_key or not config.server_cert:
        raise PortError("--ssl_config_file: expected server_key and server_cert, each a PEM text")
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )
