"""What a log line says of an exchange, and what links a histogram's bucket to a trace."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tidegate_web.server.exchanges import Exchange

LONGEST_PATH = 200
"""Clients choose them."""

MODEL = re.compile(r"/v[12]/models/([^/:]+)")

TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]([0-9a-f])(-.*)?")
"""W3C Trace Context, level 1: version, trace, parent and flags, of which the lowest bit says that it is sampled."""


def access_fields(exchange: "Exchange", path: str, took_s: float) -> dict[str, object]:
    """Say what is known of an exchange; of its headers nothing but the id, so that no token gets into a log.

    Args:
        exchange: As it ended.
        path: As it came.
        took_s: Seconds from the request's head to the answer.
    """
    path = path[:LONGEST_PATH]
    fields: dict[str, object] = {
        "request_id": exchange.request_id,
        "path": path,
        "took_ms": round(1e3 * took_s, 3),
        "bytes_in": exchange.bytes_in,
        "bytes_out": exchange.bytes_out,
        "failure": exchange.failure,
    }
    if model := MODEL.match(path):
        fields["model"] = model[1]
    if exchange.reply is not None:
        fields |= {"version": exchange.reply.version, "backend": exchange.reply.backend}
        fields |= {f"{stage}_ms": round(1e3 * took, 3) for stage, took in exchange.reply.timings.items()}
    return fields


def exemplar(traceparent: str) -> dict[str, str] | None:
    """Return the trace of a `traceparent` header as an OpenMetrics exemplar; None where it is not a sampled one."""
    found = TRACEPARENT.fullmatch(traceparent)
    return {"trace_id": found[1]} if found and int(found[2], 16) & 1 else None
