"""Handlers of `/openapi.json` and `/docs`."""

import asyncio

import jinja2
from aiohttp import web

from tidegate_web.codec.json_text import dumps
from tidegate_web.openapi.offered import LiveDocument
from tidegate_web.openapi.page import ASSETS, CONTENT_SECURITY_POLICY, DocsPage
from tidegate_web.request_context import RequestContext

_NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Docs:
    """The document and the page of it.

    Args:
        document: Of now.
        context: Knows each request.
        layout: Where the pages' common layout is.
    """

    def __init__(self, document: LiveDocument, context: RequestContext, layout: jinja2.BaseLoader) -> None:
        self._document = document
        self._context = context
        self._page = DocsPage(layout)

    def routes(self) -> list[web.RouteDef]:
        """Return what to mount."""
        return [
            web.get("/openapi.json", self.openapi),
            web.get("/docs", self.docs),
            web.get(f"/assets/{{name:{'|'.join(ASSETS)}}}", self.asset),
        ]

    async def openapi(self, request: web.Request) -> web.Response:
        """Give the document."""
        document = await self._document.current(self._context.remaining_s(request))
        return web.Response(body=dumps(document), content_type="application/json", headers=_NO_STORE)

    async def docs(self, request: web.Request) -> web.Response:
        """Show the page."""
        document = await self._document.current(self._context.remaining_s(request))
        # Away from the event loop: many models make a long page
        page = await asyncio.to_thread(self._page.render, document, f"{request.scheme}://{request.host}")
        headers = {**_NO_STORE, "Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "same-origin"}
        return web.Response(text=page, content_type="text/html", headers=headers)

    async def asset(self, request: web.Request) -> web.Response:
        """Give the page's style or script."""
        name = request.match_info["name"]
        headers = {"Cache-Control": "max-age=3600", "X-Content-Type-Options": "nosniff"}
        return web.Response(body=self._page.assets[name], content_type=ASSETS[name], headers=headers)
