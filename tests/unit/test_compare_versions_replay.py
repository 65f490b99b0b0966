"""How two versions are asked, against a gateway that is busy, drops connections, or moves a label."""

from collections.abc import Callable

import pytest
from aiohttp import web

from compare import replay as replaying
from compare.replay import WARM_UP, Gateway, Plan, Reference, Replayed, ReplayError, replay
from samples import Sample
from signatures import Signature, Tensor

SIGNATURE = Signature("serving_default", {"x": Tensor("DT_FLOAT", (None,))}, {"y": Tensor("DT_FLOAT", (None,))})
OLD, NEW = Reference("m", "1"), Reference("m", "beta")
SAMPLES = [Sample(0.5), Sample(1.5), Sample(2.5)]

Fault = Callable[[int, web.Request], web.Response | None]


class Double:
    """A gateway that answers each number with itself, unless it is at fault."""

    def __init__(self, fault: Fault = lambda _number, _request: None, version: Callable[[int], str] = str) -> None:
        self.asked: list[str] = []
        self._fault = fault
        self._version = version

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes([web.post("/v1/models/m/{version:.*}:predict", self._predict)])
        return app

    async def _predict(self, request: web.Request) -> web.Response:
        self.asked.append(request.match_info["version"])
        found = self._fault(len(self.asked), request)
        if found is not None:
            return found
        rows = (await request.json())["instances"]
        headers = {"Tidegate-Model-Version": self._version(len(self.asked))}
        return web.json_response({"predictions": rows}, headers=headers)


async def replayed(aiohttp_server, double: Double, requests: int = 4) -> tuple[Replayed, Replayed]:
    server = await aiohttp_server(double.app())
    async with Gateway(str(server.make_url("/"))) as gateway:
        return await replay(gateway, Plan((OLD, NEW), SIGNATURE, SAMPLES, requests), lambda _done, _of: None)


def always(_number: int) -> str:
    return "7"


async def test_both_are_asked_for_every_row_and_take_turns_at_being_first(aiohttp_server):
    double = Double(version=always)
    done = await replayed(aiohttp_server, double)
    assert [[answer.value for answer in one.answers] for one in done] == [[0.5, 1.5, 2.5]] * 2
    assert [len(one.times_ms) for one in done] == [4, 4]
    assert len(double.asked) == 2 * (WARM_UP + 4)
    assert double.asked[:4] == ["versions/1", "labels/beta", "labels/beta", "versions/1"]


async def test_a_busy_gateway_is_asked_again(aiohttp_server):
    busy = Double(
        lambda number, _: web.Response(status=429, headers={"Retry-After": "0"}) if number < 4 else None, always
    )
    done = await replayed(aiohttp_server, busy)
    assert [answer.problem for one in done for answer in one.answers] == [""] * 6


async def test_a_gateway_that_stays_busy_is_no_comparison(aiohttp_server, monkeypatch):
    monkeypatch.setattr(replaying, "TRIES", 2)
    busy = Double(lambda _number, _: web.json_response({"error": "full"}, status=503, headers={"Retry-After": "0"}))
    with pytest.raises(ReplayError, match=r"is busy \(503: full\); try again later"):
        await replayed(aiohttp_server, busy)


def drop(number: int, request: web.Request) -> web.Response | None:
    if number % 5 == 2:
        assert request.transport is not None
        request.transport.close()
    return None


async def test_a_connection_that_is_closed_costs_no_row(aiohttp_server):
    done = await replayed(aiohttp_server, Double(drop, always))
    assert [[answer.value for answer in one.answers] for one in done] == [[0.5, 1.5, 2.5]] * 2


async def test_a_label_that_moves_meanwhile_is_no_comparison(aiohttp_server):
    moving = Double(version=lambda number: "1" if number < 10 else "2")
    with pytest.raises(ReplayError, match=r"version 1 moved meanwhile \(versions 1, 2 answered\)"):
        await replayed(aiohttp_server, moving)


async def test_errors_of_a_row_are_answers_and_take_no_part_in_times(aiohttp_server):
    def refuse(_number: int, request: web.Request) -> web.Response | None:
        return web.json_response({"error": "no\n  such"}, status=400) if "beta" in request.path else None

    old, new = await replayed(aiohttp_server, Double(refuse, always))
    assert [answer.problem for answer in new.answers] == ["400: no such"] * 3
    assert (len(old.times_ms), len(new.times_ms)) == (4, 0)
