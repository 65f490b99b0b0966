"""kubectl is asked as the user would, its words reach the user, and its proxy is nobody else's and outlives nobody."""

import asyncio
import json
import stat
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from tidegate_proof.live import kubectl as module
from tidegate_proof.live.api import ApiError, ProxiedApi, UnreachableError
from tidegate_proof.live.kubectl import Kubectl, KubectlError

SCRIPT = f"""#!{sys.executable}
import socket, sys, time
asked = sys.argv[1:]
if "proxy" in asked:
    if "--context=none" in asked:
        sys.exit("error: context none does not exist")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(asked[-1].partition("=")[2])
    print("Starting to serve on", asked[-1], flush=True)
    time.sleep(60)
elif "wait" in asked:
    time.sleep(60)
elif "fail" in asked:
    sys.exit("Error from server (Forbidden): no")
else:
    print(*asked, sys.stdin.read())
"""


@pytest.fixture
def kubectl(tmp_path: Path) -> Kubectl:
    script = tmp_path / "kubectl"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    return Kubectl(str(script), ("--context=mine",))


async def test_options_arguments_and_input_reach_it(kubectl):
    assert await kubectl.run("apply", "-f", "-", stdin="{}") == "--context=mine apply -f - {}\n"


async def test_its_own_words_say_why_it_failed(kubectl):
    with pytest.raises(KubectlError, match=r"kubectl fail: Error from server \(Forbidden\): no"):
        await kubectl.run("fail")


async def test_one_that_takes_too_long_is_ended(kubectl):
    with pytest.raises(KubectlError, match=r"kubectl wait: expected an end within 0.2 s"):
        await asyncio.wait_for(kubectl.run("wait", timeout_s=0.2), 10)


def test_a_machine_without_it_is_told_where_it_is_to_be_had(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(KubectlError, match=r"kubernetes\.io"):
        Kubectl.find()


async def test_the_proxys_socket_lies_where_only_this_user_may_look_and_goes_with_it(kubectl):
    async with asyncio.timeout(10), kubectl.proxy() as socket:
        assert socket.is_socket()
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    assert not socket.parent.exists()


async def test_a_proxy_that_does_not_serve_is_told_with_its_words(kubectl, monkeypatch):
    monkeypatch.setattr(module, "PROXY_ENDS_S", 1.0)
    other = Kubectl(kubectl.path, ("--context=none",))
    with pytest.raises(KubectlError, match="context none does not exist"):
        async with asyncio.timeout(10), other.proxy():
            pass


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ProxiedApi]:
    """Behind a socket that answers, refuses, streams and breaks off."""

    async def lines(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for number in range(2):
            await response.write(json.dumps({"number": number}).encode() + b"\n")
        if "breaks" in request.query:
            assert request.transport is not None
            request.transport.abort()
        if "silent" in request.query:
            await asyncio.sleep(30)
        return response

    async def listed(_: web.Request) -> web.Response:
        return web.json_response({"items": []}, headers={"Date": "Fri, 02 Jan 2026 03:04:05 GMT"})

    async def refused(_: web.Request) -> web.Response:
        raise web.HTTPForbidden(text="pods is forbidden")

    app = web.Application()
    app.router.add_get("/list", listed)
    app.router.add_get("/version", listed)
    app.router.add_get("/no", refused)
    app.router.add_get("/lines", lines)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "socket")).start()
    async with ProxiedApi(tmp_path / "socket") as connected:
        yield connected
    await runner.cleanup()


async def test_objects_texts_and_the_clock_are_read(api):
    assert await api.get("/list") == {"items": []}
    assert await api.text("/list") == '{"items": []}'
    assert await api.date() == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


async def test_a_refusal_has_status_and_words(api):
    with pytest.raises(ApiError, match="pods is forbidden") as refused:
        await api.get("/no")
    assert refused.value.status == 403


async def test_lines_come_as_they_are_until_the_end(api):
    assert [json.loads(line)["number"] async for line in api.lines("/lines")] == [0, 1]


@pytest.mark.parametrize("how", ["breaks", "silent"])
async def test_a_stream_that_breaks_off_or_falls_silent_is_told(api, how):
    lines = aiter(api.lines(f"/lines?{how}", silence_s=0.2))
    assert [await anext(lines), await anext(lines)] == [b'{"number": 0}\n', b'{"number": 1}\n']
    with pytest.raises(UnreachableError):
        await anext(lines)


async def test_a_cluster_that_is_not_there_is_told(tmp_path):
    async with ProxiedApi(tmp_path / "nobody") as nowhere:
        with pytest.raises(UnreachableError, match="/version"):
            await nowhere.get("/version")
