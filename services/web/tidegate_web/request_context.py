"""What the handlers of every API ask about the request they answer, and tell of its answer."""

from typing import Protocol

from aiohttp import web

from tidegate_web.prediction import Reply


class RequestContext(Protocol):
    """Knows each request that is being answered."""

    def request_id(self, request: web.Request) -> str:
        """Return its id: the client's, or one of ours."""
        ...

    def client(self, request: web.Request) -> str:
        """Return what stays the same over a client's requests, for sticky routing."""
        ...

    def remaining_s(self, request: web.Request) -> float:
        """Return the seconds that it may still take."""
        ...

    def answered(self, request: web.Request, reply: Reply) -> None:
        """Note which version and backend answered, for headers and log."""
        ...
