"""Where the model servers are: three schemes."""

import asyncio
import contextlib
import json
import socket
from typing import Any

import pytest
from aiohttp import web

from tidegate_web.serving.discovery.dns import DnsDiscovery
from tidegate_web.serving.discovery.endpointslice import ApiServer, EndpointSliceDiscovery
from tidegate_web.serving.discovery.schemes import discover
from tidegate_web.serving.discovery.trouble import AGAIN_S, Trouble
from tidegate_web.settings import SettingsError


async def first(discovery: Any, count: int) -> list[frozenset[str]]:
    """The first answers of a discovery."""
    found: list[frozenset[str]] = []
    async with asyncio.timeout(10), contextlib.aclosing(discovery.watch()) as watch:
        async for addresses in watch:
            found.append(addresses)
            if len(found) == count:
                return found
    raise AssertionError("the discovery ended")


async def test_static_addresses_are_told_once():
    discovery = discover("static:a:1, [::1]:2")
    assert await first(discovery, 1) == [{"a:1", "[::1]:2"}]


@pytest.mark.parametrize(
    "setting",
    ["", "static:", "static:a", "static:a:0", "static:a:x", "static:a:1,,b:2", "dns:a", "dns:a:70000", "consul:a:1"],
)
def test_a_setting_that_names_nothing_is_refused_with_what_came(setting):
    with pytest.raises(SettingsError, match=r"TIDEGATE_BACKENDS: expected .*, came "):
        discover(setting)


def test_endpointslices_outside_a_pod_are_refused_with_the_alternatives(monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(SettingsError, match=r"works inside a Kubernetes pod .* use static:host:port or dns:host:port"):
        discover("endpointslice:tidegate-serving:8500")


async def test_dns_tells_each_change_and_keeps_what_it_knows_while_nobody_answers():
    answers: list[frozenset[str] | socket.gaierror] = [
        frozenset({"10.0.0.1"}),
        frozenset({"10.0.0.1"}),
        socket.gaierror(socket.EAI_AGAIN, "try again"),
        frozenset({"10.0.0.1", "fd00::2"}),
        socket.gaierror(socket.EAI_NONAME, "no such name"),
        frozenset({"10.0.0.3"}),
    ]
    script = iter(answers)

    async def resolve(host: str) -> frozenset[str]:
        assert host == "serving"
        answer = next(script)
        if isinstance(answer, socket.gaierror):
            raise answer
        return answer

    assert await first(DnsDiscovery("serving:8500", resolve, interval_s=0.001), 4) == [
        {"10.0.0.1:8500"},
        {"10.0.0.1:8500", "[fd00::2]:8500"},
        frozenset(),
        {"10.0.0.3:8500"},
    ]


async def test_dns_asks_the_system():
    assert await first(discover("dns:127.0.0.1:8500"), 1) == [{"127.0.0.1:8500"}]


def endpoint_slice(name: str, *endpoints: tuple[str, dict[str, bool]]) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "endpoints": [{"addresses": [address], "conditions": conditions} for address, conditions in endpoints],
    }


READY = {"ready": True, "serving": True, "terminating": False}
NOT_READY = {"ready": False}
TERMINATING = {"ready": True, "serving": True, "terminating": True}


class FakeApiServer:
    """Lists one slice, then sends the events given on each watch, and ends it."""

    def __init__(self, *watches: list[dict[str, Any]]) -> None:
        self.watches = list(watches)
        self.requests: list[web.Request] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        assert request.headers["Authorization"] == "Bearer token-1"
        assert request.query["labelSelector"] == "kubernetes.io/service-name=tidegate-serving"
        if "watch" not in request.query:
            items = [endpoint_slice("s1", ("10.0.0.1", READY), ("10.0.0.2", NOT_READY))]
            return web.json_response({"metadata": {"resourceVersion": "5"}, "items": items})
        assert request.query["resourceVersion"] == "5"
        response = web.StreamResponse()
        await response.prepare(request)
        if not self.watches:
            await asyncio.sleep(10)
        for event in self.watches.pop(0):
            await response.write(json.dumps(event).encode() + b"\n")
        return response


async def watch_endpoints(server: FakeApiServer, aiohttp_server: Any, tmp_path: Any) -> EndpointSliceDiscovery:
    app = web.Application()
    app.add_routes([web.get("/apis/discovery.k8s.io/v1/namespaces/trial/endpointslices", server.answer)])
    running = await aiohttp_server(app)
    token = tmp_path / "token"
    token.write_text("token-1\n")
    api = ApiServer(str(running.make_url("")).rstrip("/"), "trial", token, None)
    return EndpointSliceDiscovery("tidegate-serving:8500", api)


async def test_endpointslices_tell_the_ready_and_not_terminating(aiohttp_server, tmp_path):
    events = [
        {
            "type": "MODIFIED",
            "object": endpoint_slice("s1", ("10.0.0.1", TERMINATING), ("10.0.0.2", READY), ("10.0.0.3", {})),
        },
        {"type": "ADDED", "object": endpoint_slice("s2", ("10.0.0.4", READY))},
        {"type": "DELETED", "object": endpoint_slice("s1")},
        {"type": "MODIFIED", "object": {"metadata": {"name": "s2"}, "endpoints": None}},
    ]
    discovery = await watch_endpoints(FakeApiServer(events), aiohttp_server, tmp_path)
    assert await first(discovery, 5) == [
        {"10.0.0.1:8500"},
        {"10.0.0.2:8500", "10.0.0.3:8500"},
        {"10.0.0.2:8500", "10.0.0.3:8500", "10.0.0.4:8500"},
        {"10.0.0.4:8500"},
        frozenset(),
    ]


async def test_an_expired_watch_lists_again(aiohttp_server, tmp_path):
    gone = {"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}}
    more = {"type": "ADDED", "object": endpoint_slice("s2", ("10.0.0.4", READY))}
    server = FakeApiServer([gone], [more])
    discovery = await watch_endpoints(server, aiohttp_server, tmp_path)
    assert await first(discovery, 2) == [{"10.0.0.1:8500"}, {"10.0.0.1:8500", "10.0.0.4:8500"}]
    assert ["watch" in request.query for request in server.requests] == [False, True, False, True]


async def test_an_api_server_that_refuses_is_asked_again(aiohttp_server, tmp_path, monkeypatch):
    monkeypatch.setattr("tidegate_web.serving.discovery.endpointslice.RETRY_S", 0.01)
    server = FakeApiServer()
    answer, refusals = server.answer, [web.HTTPForbidden(), web.HTTPInternalServerError()]

    async def refuse_first(request: web.Request) -> web.StreamResponse:
        if refusals:
            raise refusals.pop()
        return await answer(request)

    server.answer = refuse_first  # type: ignore[method-assign]  # this one server only
    discovery = await watch_endpoints(server, aiohttp_server, tmp_path)
    assert await first(discovery, 1) == [{"10.0.0.1:8500"}]


@pytest.mark.parametrize(
    ("head", "body", "reason"),
    [
        ("403 Forbidden", '{"message": "endpointslices is forbidden"}', "403 endpointslices is forbidden"),
        ("502 Bad Gateway", "<html>", "502 Bad Gateway"),
        ("302 Found\r\nLocation: /", "", "302 Found"),
        ("nonsense", "", "400, message="),
    ],
)
async def test_the_log_says_why_the_api_server_gives_no_endpoints_and_never_holds_the_token(
    head, body, reason, tmp_path, caplog
):
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        writer.close()

    token = tmp_path / "token"
    token.write_text("secret-token")
    async with await asyncio.start_server(reply, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        discovery = EndpointSliceDiscovery(
            "tidegate-serving:8500", ApiServer(f"http://{host}:{port}", "x", token, None)
        )
        watch = asyncio.create_task(first(discovery, 1))
        async with asyncio.timeout(10):
            while not caplog.records:
                await asyncio.sleep(0.01)
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch
    (record, *_) = caplog.records
    assert record.getMessage() == "endpoints not watched"
    assert reason in vars(record)["reason"]
    assert "secret-token" not in str(vars(record))


def test_a_trouble_is_said_when_it_begins_when_it_changes_and_then_rarely():
    now = 0.0
    trouble = Trouble(lambda: now)
    assert not trouble.is_over()
    assert [trouble.is_news(reason) for reason in ("403", "403", "500", "500")] == [True, False, True, False]
    now = AGAIN_S
    assert [trouble.is_news("500"), trouble.is_news("500")] == [True, False]
    assert [trouble.is_over(), trouble.is_over()] == [True, False]


def test_a_trouble_that_comes_and_goes_with_each_try_is_not_said_each_time():
    trouble = Trouble(lambda: 0.0)
    said = [(trouble.is_news("403"), trouble.is_over()) for _ in range(3)]
    assert said == [(True, True), (False, False), (False, False)]


async def test_an_outage_of_the_api_server_has_one_line_at_its_begin_and_one_at_its_end(
    aiohttp_server, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr("tidegate_web.serving.discovery.endpointslice.RETRY_S", 0.001)
    server = FakeApiServer([{"type": "ADDED", "object": endpoint_slice("s2", ("10.0.0.4", READY))}])
    answer, refusals = server.answer, [web.HTTPForbidden() for _ in range(20)]

    async def refuse_first(request: web.Request) -> web.StreamResponse:
        if refusals:
            raise refusals.pop()
        return await answer(request)

    server.answer = refuse_first  # type: ignore[method-assign]  # this one server only
    caplog.set_level("INFO", "tidegate_web.serving.discovery")
    discovery = await watch_endpoints(server, aiohttp_server, tmp_path)
    assert len(await first(discovery, 2)) == 2
    assert [record.getMessage() for record in caplog.records] == ["endpoints not watched", "endpoints watched again"]


async def test_a_resolver_that_stays_away_has_one_line(caplog):
    answers = iter([socket.gaierror(socket.EAI_AGAIN, "try again")] * 20 + [frozenset({"10.0.0.1"})])

    async def resolve(_: str) -> frozenset[str]:
        answer = next(answers)
        if isinstance(answer, socket.gaierror):
            raise answer
        return answer

    caplog.set_level("INFO", "tidegate_web.serving.discovery")
    assert await first(DnsDiscovery("serving:8500", resolve, interval_s=0.001), 1) == [{"10.0.0.1:8500"}]
    assert [record.getMessage() for record in caplog.records] == ["name not resolved", "name resolved again"]


@pytest.mark.parametrize("asked", ["list", "watch"])
async def test_the_token_follows_no_redirect(asked, aiohttp_server, tmp_path, caplog):
    server = FakeApiServer()
    answer, elsewhere = server.answer, []

    async def redirect(request: web.Request) -> web.StreamResponse:
        if ("watch" in request.query) == (asked == "watch"):
            raise web.HTTPTemporaryRedirect("/elsewhere")
        return await answer(request)

    async def collect(request: web.Request) -> web.StreamResponse:
        elsewhere.append(request.path)
        return web.json_response({})

    server.answer = redirect  # type: ignore[method-assign]  # this one server only
    app = web.Application()
    app.add_routes(
        [
            web.get("/apis/discovery.k8s.io/v1/namespaces/trial/endpointslices", server.answer),
            web.get("/elsewhere", collect),
        ]
    )
    running = await aiohttp_server(app)
    (tmp_path / "token").write_text("token-1")
    api = ApiServer(str(running.make_url("")).rstrip("/"), "trial", tmp_path / "token", None)
    watch = asyncio.create_task(first(EndpointSliceDiscovery("tidegate-serving:8500", api), 9))
    async with asyncio.timeout(10):
        while not caplog.records:
            await asyncio.sleep(0.01)
    watch.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watch
    assert "307 Temporary Redirect" in vars(caplog.records[0])["reason"]
    assert elsewhere == []
