"""Bearer tokens: who has none gets nothing of the HTTP port but its style sheets.

Scripts send `Authorization: Bearer TOKEN`. Browsers cannot from a form, so the token also counts as the password of
HTTP Basic, with any user name: a page that is refused asks for it by the browser's own prompt.
"""

import asyncio
import binascii
import logging
from base64 import b64decode
from collections.abc import Callable
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from tidegate_web.errors import TidegateError, Unauthenticated
from tidegate_web.settings import SettingsError

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often the file is looked at."""

MAX_FILE_BYTES = 2**16
"""About a thousand tokens, each of which is compared with each request's."""

OPEN_PREFIX = "/assets/"

BEARER_CHALLENGE = 'Bearer realm="Tidegate"'
BASIC_CHALLENGE = 'Basic realm="Tidegate: the token is the password", charset="UTF-8"'

Refuse = Callable[[web.Request, TidegateError], web.Response]


class Tokens:
    """The tokens of a file, kept as hashes.

    Args:
        file: One token a line; blank lines and those that begin with `#` do not count.

    Raises:
        SettingsError: It cannot be read, or holds no token. Later the last good ones stand, and the log says why.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._digests = self._read()
        except (OSError, ValueError) as error:
            raise SettingsError(f"TIDEGATE_TOKENS_FILE: {error}") from None

    def accept(self, authorization: str) -> bool:
        """Whether a request's Authorization header carries one of the tokens.

        All are compared, each in constant time: how long it takes tells nothing about them.
        """
        digest = _digest(_presented(authorization))
        matches = [compare_digest(digest, known) for known in self._digests]
        return any(matches)

    async def follow(self) -> None:
        """Read the file again and again, until cancelled; what is wrong with it is told once."""
        told = ""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                digests = await asyncio.to_thread(self._read)
            except (OSError, ValueError) as error:
                if str(error) != told:
                    told = str(error)
                    log.warning("tokens not read: the last good ones stand", extra={"error": told})
                continue
            told = ""
            if digests != self._digests:
                self._digests = digests
                log.info("tokens read", extra={"tokens": len(digests)})

    def _read(self) -> frozenset[bytes]:
        with self._file.open(encoding="utf-8") as stream:
            text = stream.read(MAX_FILE_BYTES + 1)
        if len(text) > MAX_FILE_BYTES:
            raise ValueError(f"{self._file}: expected at most {MAX_FILE_BYTES} characters")
        lines = (line.strip() for line in text.splitlines())
        digests = frozenset(_digest(line) for line in lines if line and not line.startswith("#"))
        if not digests:
            raise ValueError(f"{self._file}: expected one token a line, came none")
        return digests


def require_token(tokens: Tokens, refuse_api: Refuse, refuse_page: Refuse) -> Middleware:
    """Make the middleware that turns away who has no token.

    Args:
        tokens: Those that count.
        refuse_api: Writes the refusal for a program.
        refuse_page: Writes it for a browser.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        authorization = request.headers.get(hdrs.AUTHORIZATION, "")
        if request.path.startswith(OPEN_PREFIX) or tokens.accept(authorization):
            return await handler(request)
        what = "is not one of this gateway's" if authorization else "is missing"
        error = Unauthenticated(f"The bearer token {what}: expected the header `Authorization: Bearer TOKEN`")
        if "text/html" in request.headers.get(hdrs.ACCEPT, ""):
            response = refuse_page(request, error)
            response.headers.add(hdrs.WWW_AUTHENTICATE, BASIC_CHALLENGE)
        else:
            response = refuse_api(request, error)
        response.headers.add(hdrs.WWW_AUTHENTICATE, BEARER_CHALLENGE)
        return response

    return check


def _presented(authorization: str) -> str:
    """Return the token of a Bearer or Basic header; empty where there is none, which no file holds."""
    scheme, _, rest = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip()
        case "basic":
            try:
                return b64decode(rest, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return ""
    return ""


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()
