"""`TIDEGATE_BACKENDS` to a Discovery."""

from tidegate_web.serving.discovery import Discovery
from tidegate_web.serving.discovery.dns import DnsDiscovery
from tidegate_web.serving.discovery.endpointslice import ApiServer, EndpointSliceDiscovery
from tidegate_web.serving.discovery.static import StaticDiscovery
from tidegate_web.settings import SettingsError


def discover(backends: str) -> Discovery:
    """Return the Discovery that the setting names.

    Raises:
        SettingsError: An unknown scheme, or a scheme's wrong argument.
    """
    scheme, _, rest = backends.partition(":")
    match scheme:
        case "static":
            return StaticDiscovery(rest)
        case "dns":
            return DnsDiscovery(rest)
        case "endpointslice":
            return EndpointSliceDiscovery(rest, ApiServer.of_pod())
    raise SettingsError(
        "TIDEGATE_BACKENDS: expected static:host:port,… or dns:host:port or endpointslice:SERVICE:PORT, "
        f"came {backends!r}"
    )
