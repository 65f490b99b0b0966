"""Leave for web pages of other origins to call the API (the Fetch standard's CORS protocol)."""

from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from tidegate_web.settings import SettingsError

ANY = "*"
API = ("/v1", "/v2")
METHODS = "GET, POST"
REQUEST_HEADERS = (
    "Authorization, Content-Encoding, Content-Type, Inference-Header-Content-Length, X-Request-ID, X-Request-Timeout"
)
PREFLIGHT_MAX_AGE_S = 600
"""How long a browser may remember an answer to its preflight; Chromium's own cap is two hours."""

EXPOSED = (
    "Inference-Header-Content-Length, Retry-After, Server-Timing, Tidegate-Backend, Tidegate-Model-Version, "
    "Tidegate-Pod, Tidegate-Seq, X-Request-ID"
)
"""Answer headers that a page's script may read beside the few that it always may."""


def cors(origins: str, client_id_header: str) -> Middleware:
    """Make the middleware that lets pages of some origins read the API's answers, errors included.

    It stands outside of whatever refuses requests, for a browser's preflight carries no credentials.

    Args:
        origins: Origins such as `https://example.org`, separated by commas, or `*` for all.
        client_id_header: A request header of ours that pages may send.

    Raises:
        SettingsError: One of them is no origin.
    """
    allowed = _parse(origins)
    request_headers = f"{REQUEST_HEADERS}, {client_id_header}"

    @web.middleware
    async def share(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not any(request.path == api or request.path.startswith(f"{api}/") for api in API):
            return await handler(request)
        origin = request.headers.get(hdrs.ORIGIN)
        shared = origin is not None and (ANY in allowed or origin in allowed)
        preflight = request.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        if shared and preflight:
            response: web.StreamResponse = web.Response(status=HTTPStatus.NO_CONTENT)
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = METHODS
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = request_headers
            response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = str(PREFLIGHT_MAX_AGE_S)
        else:
            response = await handler(request)
        if ANY in allowed:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = ANY
        else:
            response.headers.add(hdrs.VARY, hdrs.ORIGIN)  # a cache must not hand one origin's answer to another
            if shared and origin is not None:
                response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        if shared:
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = EXPOSED
        return response

    return share


def _parse(origins: str) -> frozenset[str]:
    """Split the setting; browsers send origins in lower case and without a slash at the end."""
    found = [origin.strip() for origin in origins.split(",") if origin.strip()]
    for origin in found:
        scheme, separator, host = origin.partition("://")
        if origin != ANY and not (scheme and separator and host and "/" not in host):
            raise SettingsError(f"TIDEGATE_CORS_ORIGINS: expected https://example.org or *, came {origin!r}")
    return frozenset(origin.lower() for origin in found)
