"""The fast way in: it answers as the plain way does, hands over what is not plain, and loses nothing.

A request with a `TE` header goes to aiohttp, so that both ways of one server can be asked the same.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate_web.admission import AdmittedPredictor
from tidegate_web.errors import BackendFault, BadInput, DeadlineExceeded, NotFound, Overloaded, Unavailable
from tidegate_web.metrics import Metrics
from tidegate_web.server import fast_front
from tidegate_web.server.app import make_app
from tidegate_web.server.auth import Tokens
from tidegate_web.server.connection_age import ConnectionAge
from tidegate_web.server.connections import ConnectionLimits
from tidegate_web.server.exchanges import Exchanges
from tidegate_web.server.fast_front import FastFronts
from tidegate_web.server.lifecycle import Lifecycle
from tidegate_web.server.listening import Port, listening
from tidegate_web.server.middlewares import Observer
from tidegate_web.server.request_head import LARGEST_BODY, read_head
from tidegate_web.settings import Settings

PREDICT = "/v1/models/and_gate:predict"
ROW = b'{"instances": [[1, 1]]}'
PLAIN = "TE: trailers"
BOTH = pytest.mark.parametrize("quick", [True, False])


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """A client of one connection that sees the bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, body: bytes = ROW, *lines: str, path: str = PREDICT) -> None:
        head = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *lines, "", ""]
        self.writer.write("\r\n".join(head).encode() + body)

    async def answer(self) -> Answer:
        async with asyncio.timeout(10):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            body = await self.reader.readexactly(int(headers["Content-Length"]))
        return Answer(int(head[0].split()[1]), headers, body)

    async def ended(self) -> bool:
        async with asyncio.timeout(10):
            return await self.reader.read(1) == b""


@dataclass
class Here:
    address: tuple[str, int]
    metrics: Metrics
    lifecycle: Lifecycle
    fronts: FastFronts

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            yield Connection(reader, writer)
        finally:
            writer.close()

    async def ask(self, body: bytes = ROW, *lines: str, path: str = PREDICT) -> Answer:
        async with self.connection() as connection:
            connection.send(body, *lines, path=path)
            return await connection.answer()

    @property
    def handed_over(self) -> int:
        return len(self.fronts.plain.connections)


@asynccontextmanager
async def here(predictor: Any, tokens: Tokens | None = None, most: int = 100, **chosen: Any) -> AsyncIterator[Here]:
    """Listen with both ways in; ends as the gateway does, after the requests in flight."""
    settings = Settings(**chosen)
    metrics, lifecycle = Metrics(), Lifecycle(listening=True, discovered=True)
    admitted = AdmittedPredictor(predictor, settings.max_inflight, settings.max_queue, metrics)
    ages = ConnectionAge(settings.connection_max_age_s, asyncio.get_running_loop().time)
    exchanges = Exchanges(settings, metrics, lifecycle, pod="pod-a")
    app = make_app(settings, admitted, Observer(exchanges, ages), lifecycle, tokens)
    made: list[FastFronts] = []

    def fast(plain: Any) -> FastFronts:
        header = settings.client_id_header.lower()
        made.append(FastFronts(admitted, exchanges, ages, header, 60, LARGEST_BODY, tokens, plain))
        return made[0]

    limits = ConnectionLimits(most, lambda: None)
    finish = partial(exchanges.finish, 10)
    async with listening(app, Port("127.0.0.1", 0, "TIDEGATE_HTTP_PORT"), limits, finish, fast) as url:
        host, port = url.removeprefix("http://").removesuffix("/").split(":")
        yield Here((host, int(port)), metrics, lifecycle, made[0])


def alike(fast: Answer, plain: Answer) -> None:
    """Hold two answers against each other; only times differ."""
    assert (fast.status, fast.body) == (plain.status, plain.body)
    stages = [re.sub(r"[0-9.]+", "0", answer.headers.pop("Server-Timing", "")) for answer in (fast, plain)]
    assert stages[0] == stages[1]
    for answer in (fast, plain):
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.headers.pop("Date"))
        answer.headers["Content-Type"] = answer.headers["Content-Type"].removesuffix("; charset=utf-8")
    assert fast.headers == plain.headers


BODIES = [
    ROW, b"", b"{}", b"[]", b"nix", b"null", b'{"instances": []}', b'{"instances": [[1, "one"]]}',
    b'{"instances": [[1]]}',
    b'{"inputs": [[0, 5]]}', b'{"inputs": {"inputs": [[0, 5]]}}', b'{"instances": [{"inputs": [1, 1]}]}',
    b'{"instances": [[1, 1]], "inputs": [[1, 1]]}', b'{"instances": [[1, 1]], "signature_name": "nix"}',
    b'{"instances": [[1, 1]], "signature_name": 3}', b'{"instances": [[NaN, Infinity]]}', b'{"instances": [[1e39, 1]]}',
    b'{"instances": [[true, 1]]}', b'{"instances": [[1, 1], [0, 2.5]]}', b"\xff\xfe", b'{"instances": [[1, 1]]}x',
    b'{"instances": ' + b"[" * 2000 + b"]" * 2000 + b"}", b'{"instances": [[' + b"9" * 400 + b", 1]]}",
]  # fmt: skip
PATHS = [
    PREDICT, "/v1/models/and_gate/versions/3:predict", "/v1/models/and_gate/labels/stable:predict",
    "/v1/models/nix:predict", "/v1/models/and_gate/versions/999999999999999999:predict",
    "/v1/models/and_gate/versions/9999999999999999999:predict", "/v1/models/and_gate/versions/03:predict",
    "/v1/models/and%5Fgate:predict", "/v1/models/and_gate:nix", "/v1/models/and_gate:predict?x=1",
]  # fmt: skip
HEADERS = [
    (),
    ("X-Request-Timeout: 5",),
    ("X-Request-Timeout: soon",),
    ("X-Client-ID: me",),
    ("Content-Type: text/plain",),
]


@BOTH
async def test_both_ways_answer_alike(fake_predictor, quick):
    async with here(fake_predictor(quick=quick)) as it:
        for body in BODIES:
            for lines in HEADERS:
                same = (*lines, "X-Request-ID: same")
                alike(await it.ask(body, *same), await it.ask(body, *same, PLAIN))
        for path in PATHS:
            same = ("X-Request-ID: same",)
            alike(await it.ask(ROW, *same, path=path), await it.ask(ROW, *same, PLAIN, path=path))


@BOTH
@pytest.mark.parametrize(
    "error",
    [
        BadInput("x"),
        NotFound("x"),
        Overloaded("x"),
        Unavailable("x"),
        DeadlineExceeded("x"),
        BackendFault("x"),
        OSError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_both_ways_fail_alike(fake_predictor, quick, error):
    predictor = fake_predictor(quick=quick)
    async with here(predictor) as it:
        await it.ask()
        predictor.error = error
        alike(await it.ask(ROW, "X-Request-ID: same"), await it.ask(ROW, "X-Request-ID: same", PLAIN))


@BOTH
async def test_a_model_without_a_finite_answer_answers_alike(fake_predictor, quick):
    outputs = {"y": np.array([[np.nan, np.inf]], np.float32)}
    async with here(fake_predictor(quick=quick, outputs=outputs)) as it:
        alike(await it.ask(ROW, "X-Request-ID: same"), await it.ask(ROW, "X-Request-ID: same", PLAIN))


@BOTH
async def test_both_ways_count_alike(fake_predictor, quick):
    async with here(fake_predictor(quick=quick)) as it:
        for lines in ((), (PLAIN,)):
            await it.ask(ROW, *lines)
            await it.ask(b"nix", *lines)
        for status, times in (("200", 2), ("400", 2)):
            labels = {"route": "/v1/models/{model}:predict", "method": "POST", "status": status}
            assert it.metrics.registry.get_sample_value("tidegate_requests_total", labels) == times
        assert it.metrics.registry.get_sample_value("tidegate_inflight_requests") == 0
        assert it.metrics.registry.get_sample_value("tidegate_serving_pending_predictions") == 0


@BOTH
async def test_both_ways_tell_clients_by_the_same_header(fake_predictor, quick):
    predictor = fake_predictor(quick=quick)
    async with here(predictor, client_id_header="X-Tenant") as it:
        for way in ((), (PLAIN,)):
            predictor.clients.clear()
            for lines in (("x-tenant: me",), ("X-Client-ID: me", "X-Request-ID: mine"), ("X-TENANT: you",)):
                assert (await it.ask(ROW, *lines, *way)).status == 200
            assert list(dict.fromkeys(predictor.clients)) == ["me", "mine", "you"]


@BOTH
async def test_answers_are_numbered_without_gaps_over_both_ways(fake_predictor, quick):
    async with here(fake_predictor(quick=quick), expose_route=True) as it:
        answers = [await it.ask(body, *way) for body in (ROW, b"nix", ROW) for way in ((), (PLAIN,))]
        assert [answer.headers["Tidegate-Seq"] for answer in answers] == [str(number) for number in range(1, 7)]
        assert {answer.headers["Tidegate-Pod"] for answer in answers} == {"pod-a"}
        backends = {answer.headers.get("Tidegate-Backend") for answer in answers if answer.status == 200}
        assert backends == {"10.0.0.9:8500"}


@BOTH
async def test_requests_sent_ahead_are_answered_in_their_order(fake_predictor, quick):
    async with here(fake_predictor(quick=quick)) as it, it.connection() as connection:
        for number in range(50):
            connection.send(ROW if number % 3 else b"nix", f"X-Request-ID: {number}")
        for number in range(50):
            answer = await connection.answer()
            assert answer.headers["X-Request-ID"] == str(number)
            assert answer.status == (200 if number % 3 else 400)


async def test_what_is_not_plain_goes_to_aiohttp_with_all_that_follows(fake_predictor):
    async with here(fake_predictor(quick=True)) as it, it.connection() as connection:
        connection.send(ROW, "X-Request-ID: 0")
        connection.writer.write(b"GET /v1/models/and_gate HTTP/1.1\r\nHost: x\r\nX-Request-ID: 1\r\n\r\n")
        connection.send(ROW, "X-Request-ID: 2")
        assert [(await connection.answer()).headers["X-Request-ID"] for _ in range(3)] == ["0", "1", "2"]
        assert it.handed_over == 1


@given(cut=st.integers(1, 150), size=st.integers(1, 40))
@settings(max_examples=30)
def test_a_request_in_any_pieces_is_answered(cut, size):
    from tests.unit.conftest import FakePredictor  # noqa: PLC0415 hypothesis and fixtures do not go together

    async def check() -> None:
        async with here(FakePredictor(quick=True)) as it, it.connection() as connection:
            text = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (PREDICT.encode(), len(ROW), ROW)
            connection.writer.write(text[:cut])
            await connection.writer.drain()
            for start in range(cut, len(text), size):
                await asyncio.sleep(0)
                connection.writer.write(text[start : start + size])
            assert (await connection.answer()).status == 200

    asyncio.run(check())


async def test_a_slow_request_is_left_to_aiohttp_and_its_time_outs(fake_predictor, monkeypatch):
    monkeypatch.setattr(fast_front, "PATIENCE_S", 0.05)
    monkeypatch.setattr(fast_front, "SWEEP_S", 0.02)
    async with here(fake_predictor(quick=True)) as it, it.connection() as connection:
        connection.writer.write(b"POST /v1/models/and_gate:predict HTTP/1.1\r\nHost: x\r\n")
        async with asyncio.timeout(5):
            while not it.handed_over:
                await asyncio.sleep(0.01)
        connection.writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(ROW), ROW))
        assert (await connection.answer()).status == 200


@BOTH
async def test_a_client_that_leaves_takes_its_prediction_back(fake_predictor, quick):
    predictor = fake_predictor(quick=quick, held=asyncio.Event())
    async with here(predictor) as it:
        async with it.connection() as connection:
            connection.send()
            while not predictor.seen:
                await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            while it.metrics.registry.get_sample_value("tidegate_inflight_requests"):
                await asyncio.sleep(0.01)
        labels = {"route": "/v1/models/{model}:predict", "method": "POST", "status": "499"}
        assert it.metrics.registry.get_sample_value("tidegate_requests_total", labels) == 1
        assert it.metrics.registry.get_sample_value("tidegate_serving_pending_predictions") == 0


@BOTH
async def test_connections_close_when_the_gateway_drains(fake_predictor, quick):
    async with here(fake_predictor(quick=quick)) as it, it.connection() as connection:
        connection.send()
        assert "Connection" not in (await connection.answer()).headers
        it.lifecycle.draining = True
        connection.send()
        assert (await connection.answer()).headers["Connection"] == "close"
        assert await connection.ended()


async def test_connections_close_at_their_age(fake_predictor):
    async with here(fake_predictor(quick=True), connection_max_age_s=0.01) as it, it.connection() as connection:
        await asyncio.sleep(0.02)
        connection.send()
        assert (await connection.answer()).headers["Connection"] == "close"


@BOTH
async def test_a_request_in_flight_and_one_that_has_half_come_are_answered_when_the_port_closes(fake_predictor, quick):
    predictor = fake_predictor(quick=quick, held=asyncio.Event())
    async with here(predictor) as it:
        held, half = [Connection(*await asyncio.open_connection(*it.address)) for _ in range(2)]
        held.send()
        half.writer.write(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (PREDICT.encode(), len(ROW)))
        while not predictor.seen:
            await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_later(0.2, half.writer.write, ROW)
        asyncio.get_running_loop().call_later(0.4, predictor.held.set)
    for connection in (held, half):
        assert (await connection.answer()).status == 200
        connection.writer.close()


async def test_one_connection_too_many_is_refused_whoever_holds_the_others(fake_predictor):
    async with here(fake_predictor(quick=True), most=2) as it:
        async with it.connection() as fast, it.connection() as plain:
            fast.send()
            plain.send(ROW, PLAIN)
            assert [(await c.answer()).status for c in (fast, plain)] == [200, 200]
            assert (await it.ask()).status == 429
        async with asyncio.timeout(5):
            while (await it.ask()).status != 200:
                await asyncio.sleep(0.01)


async def test_only_requests_with_a_token_are_answered(fake_predictor, tmp_path: Path):
    file = tmp_path / "tokens"
    file.write_text("right\n")
    async with here(fake_predictor(quick=True), tokens=Tokens(file)) as it:
        for lines, status in (
            ((), 401), (("Authorization: Bearer wrong",), 401), (("AUTHORIZATION: Bearer right",), 200),
        ):  # fmt: skip
            for way in ((), (PLAIN,)):
                answer = await it.ask(ROW, *lines, *way)
                assert answer.status == status


@pytest.mark.parametrize(
    "lines",
    [
        ["GET /v1/models/and_gate:predict HTTP/1.1", "Host: x", "Content-Length: 2"],
        ["POST /v1/models/and_gate:predict HTTP/1.0", "Host: x", "Content-Length: 2"],
        ["POST /v1/models/and_gate:predict HTTP/1.1", "Content-Length: 2"],
        ["POST /v1/models/and_gate:predict HTTP/1.1", "Host: x"],
        *(
            ["POST /v1/models/and_gate:predict HTTP/1.1", "Host: x", *more]
            for more in (
                ["Content-Length: 2", "Content-Length: 2"], ["Content-Length: +2"], ["Content-Length: 02"],
                ["Content-Length: 2 "], ["Content-Length: 99999999"], ["Content-Length : 2"], [" Content-Length: 2"],
                ["Content-Length: 2", "Transfer-Encoding: chunked"], ["Content-Length: 2", "Content-Encoding: gzip"],
                ["Content-Length: 2", "Expect: 100-continue"], ["Content-Length: 2", "X: a\x00b"],
                ["Content-Length: 2", "X: a\nb"], ["Content-Length: 2", "X: \u00e9"], ["Content-Length: 2", "Host: y"],
                ["Content-Length: 2", "X: a", "\tfolded"], ["Content-Length: 2", "Connection: close"],
                ["Content-Length: 2", "Origin: http://x"], ["Content-Length: 2", "no colon"],
                ["Content-Length: 2", "X-Client-ID: a", "x-client-id: b"],
                ["Content-Length: 2", *(f"X-{number}: a" for number in range(70))],
            )
        ),
    ],
)  # fmt: skip
def test_a_head_that_is_not_plain_is_declined(lines):
    assert read_head("\r\n".join(lines).encode()) is None
