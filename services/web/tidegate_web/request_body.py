"""A request's body, decoded as its Content-Encoding says, within the application's limit.

aiohttp can decode by itself, but goes on decoding what it has refused, without giving way to other requests: a megabyte
that decodes to a gigabyte would hold up a gateway for seconds. So the server that handlers of ours are mounted on is to
be made with `auto_decompress=False`.
"""

import asyncio
import zlib
from collections.abc import Iterator

from aiohttp import web

from tidegate_web.errors import BadInput, Problem, UnknownEncoding

ENCODINGS = ("", "identity", "gzip", "deflate")
"""What TF Serving and the standard library read; no client should need more."""

READ = 2**16
"""Encoded bytes that are looked at at once."""

PIECE = 2**18
"""Decoded bytes after which others get their turn: about a millisecond's work."""

_ZLIB_METHOD = 8
_GZIP_WBITS, _ZLIB_WBITS, _RAW_WBITS = 31, 15, -15


async def read_body(request: web.Request) -> bytes:
    """Return a request's body, whatever its Content-Type says.

    Raises:
        UnknownEncoding: It is encoded in a way that nobody here reads.
        BadInput: It is not encoded as its headers say.
        web.HTTPRequestEntityTooLarge: It is over the application's limit, encoded or decoded.
    """
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ENCODINGS:
        raise UnknownEncoding(str(Problem("Content-Encoding", "gzip, deflate or none", repr(encoding[:40]))))
    body = await request.read()
    if encoding in {"", "identity"} or not body:
        return body
    decoded = bytearray()
    try:
        for piece in _decoded(body, encoding):
            decoded += piece
            if len(decoded) > request.client_max_size > 0:
                raise web.HTTPRequestEntityTooLarge(request.client_max_size, len(decoded))
            if len(piece) == PIECE:
                await asyncio.sleep(0)
    except zlib.error:
        raise BadInput("The body ended early, or is not encoded as its headers say") from None
    return bytes(decoded)


def _decoded(body: bytes, encoding: str) -> Iterator[bytes]:
    """Give the decoded bytes, at most PIECE at a time.

    Raises:
        zlib.error: They are not encoded so, end early, or go on after the end (gzip may have several members).
    """
    wbits = _GZIP_WBITS if encoding == "gzip" else _wbits_of_deflate(body[0])
    inflater = zlib.decompressobj(wbits)
    for start in range(0, len(body), READ):
        data = body[start : start + READ]
        piece = b""
        while data or len(piece) == PIECE:
            if inflater.eof and data:
                if encoding != "gzip":
                    raise zlib.error("data after the end")
                inflater = zlib.decompressobj(wbits)
            piece = inflater.decompress(data, PIECE)
            yield piece
            data = inflater.unconsumed_tail or inflater.unused_data
    if not inflater.eof:
        raise zlib.error("ended early")


def _wbits_of_deflate(first: int) -> int:
    """Tell the zlib format (RFC 1950), which `deflate` means, from the bare one (RFC 1951), which some clients send."""
    return _ZLIB_WBITS if first & 0xF == _ZLIB_METHOD else _RAW_WBITS
