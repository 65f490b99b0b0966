"""The baseline: aiohttp, orjson and uvloop, and nothing else. Parses the body and writes it back.

python echo.py PORT
"""

import asyncio
import sys

import orjson
import uvloop
from aiohttp import web

LARGEST_BODY = 64 * 2**20


async def echo(request: web.Request) -> web.Response:
    """Answer with the document that came."""
    return web.Response(body=orjson.dumps(orjson.loads(await request.read())), content_type="application/json")


async def serve(port: int) -> None:
    """Listen until ended."""
    app = web.Application(client_max_size=LARGEST_BODY)
    app.add_routes([web.post("/", echo)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
