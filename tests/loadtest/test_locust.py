"""`locust -f loadtest` as a user runs it, against gateways that are right, wrong, busy and absent."""

import asyncio
import json
import math
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

ROOT = Path(__file__).resolve().parents[2]
LOCUST = str(Path(sys.executable).with_name("locust"))

Answer = Callable[[list[float]], int]


def right(row: list[float]) -> int:
    return int(row[0] != 0 and row[1] != 0)


def gateway(answer: Answer, status: int = 200) -> web.Application:
    """A gateway that knows the contract and nothing else."""

    def shares(row: list[float]) -> list[float]:
        return [0.25, 0.75] if answer(row) else [0.75, 0.25]

    async def predict(request: web.Request) -> web.Response:
        body = await request.json()
        asked, answered = ("instances", "predictions") if "instances" in body else ("inputs", "outputs")
        headers = {"X-Request-ID": request.headers["X-Request-ID"]}
        return web.json_response({answered: [shares(row) for row in body[asked]]}, status=status, headers=headers)

    async def show(_: web.Request) -> web.Response:
        return web.Response(text='<input name="inputs.0"><input name="inputs.1">', status=status)

    async def send(request: web.Request) -> web.Response:
        typed = await request.post()
        row = [float(str(typed["inputs.0"])), float(str(typed["inputs.1"]))]
        return web.Response(text=f'<output id="result" data-class="{answer(row)}">', status=status)

    app = web.Application()
    app.add_routes([web.post("/v1/models/and_gate:predict", predict), web.get("/home", show), web.post("/home", send)])
    return app


Server = Callable[[web.Application], Awaitable[TestServer]]


async def locust(host: str, *options: str, **environment: str) -> tuple[int, str]:
    """Run Locust for two seconds; gives its exit code and all that it printed."""
    command = [
        LOCUST,
        "-f",
        "loadtest",
        "--headless",
        "-u",
        "4",
        "-r",
        "4",
        "--host",
        host,
        "--think",
        "0.05",
        *options,
    ]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    async with asyncio.timeout(40):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_a_gateway_that_is_right_passes_with_both_users_seen(aiohttp_server: Server):
    server = await aiohttp_server(gateway(right))
    code, output = await locust(str(server.make_url("/")).rstrip("/"), "-t", "2s")
    assert code == 0, output
    for name in ("predict instances", "predict inputs", "form open", "form send"):
        assert name in output


async def test_wrong_classes_fail_the_run_and_are_named(aiohttp_server: Server):
    server = await aiohttp_server(gateway(lambda row: int(row[0] == 1)))
    code, output = await locust(str(server.make_url("/")).rstrip("/"), "-t", "2s")
    assert code == 1
    assert "wrong class for (" in output


async def test_refusals_fail_the_run(aiohttp_server: Server):
    server = await aiohttp_server(gateway(right, status=503))
    code, output = await locust(str(server.make_url("/")).rstrip("/"), "-t", "2s")
    assert code == 1
    assert "expected status 200, came 503" in output


async def test_nobody_there_fails_the_run(unused_tcp_port: int):
    code, output = await locust(f"http://127.0.0.1:{unused_tcp_port}", "-t", "2s")
    assert code == 1
    assert "no answer: " in output


async def test_a_shape_replaces_users_and_run_time(aiohttp_server: Server):
    server = await aiohttp_server(gateway(right))
    code, output = await locust(
        str(server.make_url("/")).rstrip("/"), LOADTEST_SHAPE="step", LOADTEST_USERS="4", LOADTEST_PERIOD_S="1"
    )
    assert code == 0, output


async def test_an_unknown_shape_is_refused_with_those_there_are():
    code, output = await locust("http://127.0.0.1:9", LOADTEST_SHAPE="wave")
    assert code != 0
    assert "LOADTEST_SHAPE=wave: expected one of constant, step, spike" in output


def reader(says: list[float]) -> web.Application:
    """A gateway of one other model, `reader`: from three numbers to the shares of two classes, always the same."""

    def tensor(size: int) -> dict[str, object]:
        dimensions = [{"size": "-1"}, {"size": str(size)}]
        return {"dtype": "DT_FLOAT", "tensor_shape": {"dim": dimensions, "unknown_rank": False}}

    signature = {
        "inputs": {"x": tensor(3)},
        "outputs": {"p": tensor(2)},
        "method_name": "tensorflow/serving/predict",
    }

    async def metadata(_: web.Request) -> web.Response:
        return web.json_response({"metadata": {"signature_def": {"signature_def": {"serving_default": signature}}}})

    async def predict(request: web.Request) -> web.Response:
        rows = (await request.json())["instances"]
        assert all(len(row) == 3 for row in rows)
        headers = {"X-Request-ID": request.headers["X-Request-ID"]}
        return web.json_response({"predictions": [says] * len(rows)}, headers=headers)

    app = web.Application()
    app.add_routes([web.get("/v1/models/reader/metadata", metadata), web.post("/v1/models/reader:predict", predict)])
    return app


CARD = {"class_names": ["low", "high"], "examples": [{"inputs": {"x": [0, 5, 9]}, "expected": "high"}]}


@pytest.mark.parametrize(
    ("says", "code", "text"),
    [
        ([0.2, 0.8], 0, "predict reader"),
        ([0.8, 0.2], 1, "wrong answer for [0, 5, 9]: expected high, came [0.8, 0.2]"),
        ([0.8, math.nan], 1, "p: expected finite DT_FLOAT"),
    ],
)
async def test_any_model_is_sent_what_its_signature_and_card_say(aiohttp_server: Server, tmp_path, says, code, text):
    (tmp_path / "reader.json").write_text(json.dumps(CARD))
    server = await aiohttp_server(reader(says))
    host = str(server.make_url("/")).rstrip("/")
    environment = {"LOADTEST_MODEL": "reader", "LOADTEST_CARDS": str(tmp_path)}
    ended, output = await locust(host, "-t", "1s", **environment)
    assert ended == code, output
    assert text in output
    assert "form open" not in output


async def test_a_model_that_is_not_there_fails_the_run(aiohttp_server: Server):
    server = await aiohttp_server(reader([]))
    code, output = await locust(str(server.make_url("/")).rstrip("/"), "-t", "1s", LOADTEST_MODEL="nix")
    assert code == 1
    assert "expected status 200, came 404" in output
