"""What a log line says of a request; and what links a histogram's bucket to a trace."""

import re
from collections.abc import Mapping

from aiohttp import web

from tidegate_web.server.keys import Exchange

LONGEST_TEXT = 200
"""Characters of a path or a model's name: clients choose them."""

TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]([0-9a-f])(-.*)?")
"""W3C Trace Context, level 1: version, trace, parent and flags, of which the lowest bit says that it is sampled."""


def access_fields(
    request: web.Request, exchange: Exchange, response: web.StreamResponse | None, took_s: float
) -> dict[str, object]:
    """Say what is known of a request; nothing of its headers but the id, so that no token gets into a log.

    Args:
        request: The request.
        exchange: What was kept of it.
        response: Its answer; None where the client left before.
        took_s: Seconds from its head to the answer.
    """
    fields: dict[str, object] = {
        "request_id": exchange.request_id,
        "path": request.path[:LONGEST_TEXT],
        "took_ms": round(1e3 * took_s, 3),
        "bytes_in": request.content_length or 0,
        "bytes_out": (response.content_length if response is not None else None) or 0,
        "failure": exchange.failure,
    }
    if "model" in request.match_info:
        fields["model"] = request.match_info["model"][:LONGEST_TEXT]
    if exchange.reply is not None:
        fields |= {"version": exchange.reply.version, "backend": exchange.reply.backend}
        fields |= {f"{stage}_ms": round(1e3 * took, 3) for stage, took in exchange.reply.timings.items()}
    return fields


def exemplar(headers: Mapping[str, str]) -> dict[str, str] | None:
    """Return the sampled trace that a request belongs to, as an OpenMetrics exemplar; None where it belongs to none."""
    traceparent = headers.get("traceparent")
    if traceparent is None:
        return None
    found = TRACEPARENT.fullmatch(traceparent)
    return {"trace_id": found[1]} if found and int(found[2], 16) & 1 else None
