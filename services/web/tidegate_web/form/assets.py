"""Style and scripts: files beside this module, read once."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files

from aiohttp import web

from tidegate_web.errors import NotFound

TYPES = {"css": "text/css", "js": "text/javascript"}

FOREVER = "public, max-age=31536000, immutable"
"""For an address that holds the content's hash."""

ASK_AGAIN = "no-cache"
"""For any other: in a roll-out the next replica may have another content."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file: its bytes, what they are, and a hash of them."""

    body: bytes
    content_type: str
    digest: str


class Assets:
    """All of them, by name."""

    def __init__(self) -> None:
        folder = files("tidegate_web.form").joinpath("assets")
        self._assets = {
            file.name: _asset(file.name, file.read_bytes())
            for file in folder.iterdir()
            if file.name.rpartition(".")[2] in TYPES
        }

    def address(self, name: str) -> str:
        """Return where a page finds an asset, under a name that changes with its content."""
        return f"/assets/{name}?v={self._assets[name].digest}"

    async def get(self, request: web.Request) -> web.Response:
        """Answer `GET /assets/NAME`.

        Raises:
            NotFound: There is none of that name.
        """
        asset = self._assets.get(request.match_info["name"])
        if asset is None:
            raise NotFound(f"Malformed request: {request.method} {request.path}")
        headers = {
            "Cache-Control": FOREVER if request.query.get("v") == asset.digest else ASK_AGAIN,
            "ETag": f'"{asset.digest}"',
            "X-Content-Type-Options": "nosniff",
        }
        if any(tag.value in {asset.digest, "*"} for tag in request.if_none_match or ()):
            return web.Response(status=web.HTTPNotModified.status_code, headers=headers)
        return web.Response(body=asset.body, content_type=asset.content_type, charset="utf-8", headers=headers)


def _asset(name: str, body: bytes) -> Asset:
    return Asset(body, TYPES[name.rpartition(".")[2]], hashlib.sha256(body).hexdigest()[:16])
