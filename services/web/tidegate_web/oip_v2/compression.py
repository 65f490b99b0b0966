"""Which compression a client takes."""

from aiohttp.web import ContentCoding

_CODINGS = {coding.value: coding for coding in (ContentCoding.gzip, ContentCoding.deflate)}


def accepted_coding(accept_encoding: str) -> ContentCoding | None:
    """Return gzip or deflate, whichever the client named first, or None.

    A bare `*` is taken as None: it is what clients send that have not thought about it.
    """
    for element in accept_encoding.lower().split(","):
        name, _, weight = element.partition(";")
        refused = weight.replace(" ", "").removeprefix("q=").strip("0.") == "" and "=" in weight
        if not refused and name.strip() in _CODINGS:
            return _CODINGS[name.strip()]
    return None
