"""The gateway's own tier: which pods of it are ready, where Kubernetes tells."""

import logging

from tidegate_web.serving.discovery import Discovery
from tidegate_web.serving.discovery.endpointslice import ApiServer, EndpointSliceDiscovery
from tidegate_web.settings import Settings

log = logging.getLogger(__name__)

SCHEME = "endpointslice:"
NO_SERVICE = "-"


class WebTier:
    """Addresses of the ready gateways' ops ports.

    Args:
        discovery: Tells them; None where nobody can.
    """

    def __init__(self, discovery: Discovery | None) -> None:
        self._discovery = discovery
        self._addresses: frozenset[str] = frozenset()

    @classmethod
    def of(cls, settings: Settings) -> "WebTier":
        """Watch the gateways' Service where the model servers' one is watched too.

        Raises:
            SettingsError: This is no pod.
        """
        if not settings.backends.startswith(SCHEME) or settings.web_service == NO_SERVICE:
            return cls(None)
        return cls(EndpointSliceDiscovery(f"{settings.web_service}:{settings.ops_port}", ApiServer.of_pod()))

    @property
    def addresses(self) -> frozenset[str] | None:
        """The addresses; None while none is known, since a Service without pods is another one than this pod's."""
        return self._addresses or None

    async def follow(self) -> None:
        """Keep the addresses up to date."""
        if self._discovery is None:
            return
        try:
            async for addresses in self._discovery.watch():
                self._addresses = addresses
        except Exception:
            # The status page alone shows them: no reason to stop answering
            log.exception("gateways not watched any more")
            self._addresses = frozenset()
