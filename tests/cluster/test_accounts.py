"""The load and the reconciliation find what they are there to find. No cluster needed."""

import asyncio
import json
import time
from collections.abc import Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.cluster.cluster import wait_for
from tests.cluster.load import KeepAliveLoad, Request, failures, longest_pause_s
from tests.cluster.reconciliation import reconcile

Answer = Callable[[web.Request, int], web.Response]


def right(request: web.Request, wanted: int) -> web.Response:
    headers = {"X-Request-ID": request.headers["X-Request-ID"], "Tidegate-Pod": "a", "Tidegate-Seq": "7"}
    shares = [0.25, 0.75] if wanted else [0.75, 0.25]
    return web.json_response({"predictions": [shares]}, headers=headers)


def wrong(request: web.Request, wanted: int) -> web.Response:
    return right(request, 1 - wanted)


def anothers(request: web.Request, wanted: int) -> web.Response:
    answer = right(request, wanted)
    answer.headers["X-Request-ID"] = "another"
    return answer


def busy(_: web.Request, __: int) -> web.Response:
    return web.Response(status=503, text="busy")


def cut(request: web.Request, wanted: int) -> web.Response:
    """Close the connection before the first answer on it, which is no idle close."""
    assert request.transport is not None
    request.transport.abort()
    return right(request, wanted)


def closing(request: web.Request, wanted: int) -> web.Response:
    answer = right(request, wanted)
    answer.force_close()
    return answer


def leaving() -> Answer:
    """Answer the first request of each connection, and drop it when the second one comes."""
    seen: set[object] = set()

    def answer(request: web.Request, wanted: int) -> web.Response:
        if request.transport in seen:
            return cut(request, wanted)
        seen.add(request.transport)
        return right(request, wanted)

    return answer


@pytest.fixture
async def ask():
    """Let one client ask a gateway that answers so, or a few, until there are some answers."""
    servers = []

    async def ask_gateway(answer: Answer, clients: int = 1, per_second: float | None = None) -> list[Request]:
        async def predict(request: web.Request) -> web.Response:
            ((first, second),) = json.loads(await request.text())["instances"]
            return answer(request, int(first != 0 and second != 0))

        app = web.Application()
        app.router.add_post("/v1/models/and_gate:predict", predict)
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
        return await asyncio.to_thread(_asked, str(server.make_url("")), clients, per_second)

    yield ask_gateway
    for server in servers:
        await server.close()


def _asked(url: str, clients: int, per_second: float | None) -> list[Request]:
    with KeepAliveLoad(url, clients, per_second) as load:
        wait_for("answers", lambda: len(load.requests) >= 4, 10, every_s=0.01)
    return load.requests


async def test_right_answers_are_no_failures_and_tell_who_gave_them(ask):
    requests = await ask(right)
    assert not failures(requests)
    assert {(request.pod, request.seq, request.status) for request in requests} == {("a", 7, 200)}
    assert not any(request.idle_closes for request in requests)


@pytest.mark.parametrize(
    ("answer", "said"),
    [(wrong, "wrong for"), (anothers, "another's answer"), (busy, "status 503: busy"), (cut, "lost:")],
)
async def test_every_kind_of_failure_is_found(ask, answer, said):
    requests = await ask(answer)
    assert all(request.error.startswith(said) for request in requests), requests


async def test_a_connection_that_the_server_closes_after_an_answer_is_not_used_again(ask):
    requests = await ask(closing)
    assert not failures(requests)
    assert not any(request.idle_closes for request in requests)


async def test_a_connection_closed_while_idle_is_sent_again_once_and_counted_apart(ask):
    requests = await ask(leaving())
    assert not failures(requests)
    assert [request.idle_closes for request in requests[:3]] == [0, 1, 1]


async def test_requests_come_no_faster_than_asked(ask):
    began = time.monotonic()
    requests = await ask(right, clients=4, per_second=50)
    assert 4 <= len(requests) <= 50 * (time.monotonic() - began) + 1


def test_the_longest_pause_is_between_two_answers():
    answered = [Request("", 0, 0.0, answered=at) for at in (1.0, 4.0, 2.0, 2.5)]
    assert longest_pause_s(answered) == 1.5


def asked(seqs: str, pod: str = "a") -> list[Request]:
    return [Request(f"{pod}{seq}", 0, 0.0, pod=pod, seq=int(seq)) for seq in seqs]


def told(ids: str, answered: int, pod: str = "a") -> list[dict[str, object]]:
    lines: list[dict[str, object]] = [{"message": "request", "request_id": f"{pod}{number}"} for number in ids]
    return [{"message": "listening"}, *lines, {"message": "stopped", "answered": answered}]


def test_what_both_ends_know_reconciles():
    requests = [*asked("123"), *asked("21", "b")]
    assert reconcile(requests, {"a": told("312", 3), "b": told("12", 2, "b")}) == {"a": 3, "b": 2}


@pytest.mark.parametrize(
    ("requests", "lines", "said"),
    [
        (asked("123"), told("12", 3), "no gateway tells of"),
        (asked("12"), told("123", 2), "no client got"),
        (asked("13"), told("13", 2), "numbered answers that no client got"),
        (asked("12"), told("12", 3), "answered 3, clients got 2"),
        (asked("12"), told("12", 2)[:-1], "did not end by itself"),
        (asked("11"), told("1", 1), "used twice"),
    ],
)
def test_what_only_one_end_knows_is_found(requests, lines, said):
    with pytest.raises(AssertionError, match=said):
        reconcile(requests, {"a": lines})
