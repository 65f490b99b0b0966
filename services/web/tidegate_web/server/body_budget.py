"""How many bytes of bodies may be in hand at once: a limit for each alone would be multiplied by the connections."""

from collections.abc import Callable

from aiohttp import web

from tidegate_web.errors import Overloaded
from tidegate_web.server.middlewares import Handler

FREE = 2**15
"""Bodies up to this size are not counted: the bound on connections bounds them."""


class BodyBudget:
    """Turns requests away whose bodies would be too many bytes together with those that are being answered.

    Args:
        most: Bytes of bodies in hand. One body alone may be larger, up to the limit of one.
        refused: Told of each refusal.
    """

    def __init__(self, most: int, refused: Callable[[], None]) -> None:
        self._most = most
        self._refused = refused
        self._held = 0

    @web.middleware
    async def hold(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request while its body counts; one that does not tell its size counts as the largest.

        Raises:
            Overloaded: There are too many bytes in hand.
        """
        size = request.content_length
        if size is None:
            size = request.client_max_size if request.body_exists else 0
        if size <= FREE:
            return await handler(request)
        if self._held and self._held + size > self._most:
            self._refused()
            raise Overloaded(f"{self._held} bytes of bodies are being worked on already: try again soon")
        self._held += size
        try:
            return await handler(request)
        finally:
            self._held -= size
