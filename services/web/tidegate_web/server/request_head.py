"""The head of the plainest prediction request, read strictly: anything else is left to aiohttp.

What is read here is a small part of HTTP on purpose. A head with anything unusual in it (another method or path, an
escape, a folded, repeated or unknown framing header, a byte outside printable ASCII) is not judged but declined, and
the bytes go to aiohttp's parser as they came, so that there is one judge of everything that is not plain.
"""

import re
from dataclasses import dataclass

from tidegate_web.prediction import ModelRef

LARGEST_BODY = 2**15
"""Larger bodies gain little from the fast way, and are to be counted before they are read (body_budget)."""

LARGEST_HEAD = 8190
"""aiohttp's limit of one header: what has a longer one is left to it to refuse."""

MOST_LINES = 64
"""aiohttp allows 128 headers; plain requests have a dozen."""

_REQUEST_LINE = re.compile(
    r"POST (/v1/models/([A-Za-z0-9_.-]{1,128})"
    r"(?:/versions/([1-9][0-9]{0,17})|/labels/([A-Za-z0-9_.-]{1,128}))?:predict) HTTP/1\.1"
)
_HEADER = re.compile(r"([A-Za-z0-9-]{1,64}): ?([!-~](?:[ -~]*[!-~])?)")
_LENGTH = re.compile(r"0|[1-9][0-9]{0,4}")

_ROUTES = ("/v1/models/{model}:predict", "/v1/models/{model}/versions/{version}:predict",
           "/v1/models/{model}/labels/{label}:predict")  # fmt: skip
"""The patterns that aiohttp's router has for them, as metrics name them."""

UNUSUAL = frozenset({
    "connection", "content-encoding", "expect", "http2-settings", "origin", "te", "trailer", "transfer-encoding",
    "upgrade",
})  # fmt: skip
"""Headers that change how a message is framed, or who may read its answer."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What is to be known of a plain prediction request before its body.

    Attributes:
        path: As it came.
        model: Whom it asks.
        route: Pattern of the path.
        length: Bytes of the body.
        headers: By name in lower case; none is repeated.
    """

    path: str
    model: ModelRef
    route: str
    length: int
    headers: dict[str, str]


def read_head(head: bytes) -> RequestHead | None:
    """Read a head, without the empty line that ends it; None where aiohttp is to read it."""
    try:
        lines = head.decode("ascii").split("\r\n")
    except UnicodeDecodeError:
        return None
    line = _REQUEST_LINE.fullmatch(lines[0])
    if line is None or len(lines) > MOST_LINES:
        return None
    headers: dict[str, str] = {}
    for text in lines[1:]:
        header = _HEADER.fullmatch(text)
        if header is None:
            return None
        name = header[1].lower()
        if name in UNUSUAL or name in headers:
            return None
        headers[name] = header[2]
    length = headers.get("content-length", "")
    if "host" not in headers or not _LENGTH.fullmatch(length) or int(length) > LARGEST_BODY:
        return None
    path, name, version, label = line.groups()
    model = ModelRef(name, int(version) if version else None, label)
    return RequestHead(path, model, _ROUTES[1 if version else 2 if label else 0], int(length), headers)
