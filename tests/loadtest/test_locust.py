"""`locust -f loadtest` as a user runs it, against gateways that are right, wrong, busy and absent."""

import asyncio
import json
import math
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import arrivals

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
    assert "infer" not in output, "users of other protocols run when named"


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


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--rows=-1", "argument --rows: expected a whole number from 0, came -1"),
        ("--think=nan", "argument --think: expected seconds from 0, came nan"),
    ],
)
async def test_options_that_cannot_be_are_refused_in_words(option, says):
    code, output = await locust("http://127.0.0.1:1", option)
    assert (code, says in output) == (2, True), output


async def test_a_shape_replaces_users_and_run_time(aiohttp_server: Server):
    server = await aiohttp_server(gateway(right))
    code, output = await locust(
        str(server.make_url("/")).rstrip("/"), LOADTEST_SHAPE="step", LOADTEST_USERS="4", LOADTEST_DURATION_S="1"
    )
    assert code == 0, output


async def test_an_unknown_shape_is_refused_in_one_line_with_those_there_are():
    code, output = await locust("http://127.0.0.1:9", LOADTEST_SHAPE="wave")
    assert code == 1
    assert output.startswith("tidegate: LOADTEST_SHAPE=wave: expected one of constant, step, spike")
    assert output.count("\n") == 1


OPEN = {"LOADTEST_ARRIVALS": "poisson", "LOADTEST_PEAK_RPS": "60", "LOADTEST_DURATION_S": "1", "LOADTEST_SEED": "3"}
ARRIVALS = sum(arrivals.counts([60.0], process="poisson", seed=3))


def routed(app: web.Application, delay_s: float = 0.0) -> Counter[str]:
    """Make a gateway say who it is; gives the ids of the requests that it saw."""
    seen: Counter[str] = Counter()
    numbers = count()

    @web.middleware
    async def tell(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.method == "POST":
            seen[request.headers["X-Request-ID"]] += 1
        await asyncio.sleep(delay_s)
        response: web.StreamResponse = await handler(request)
        response.headers["Tidegate-Pod"] = f"gate-{next(numbers) % 2}"
        response.headers["Tidegate-Backend"] = "10.0.0.1:8500"
        response.headers["Tidegate-Model-Version"] = "7"
        return response

    app.middlewares.append(tell)
    return seen


async def test_an_open_loop_sends_exactly_the_arrivals_of_its_seed_and_counts_from_when_they_were_due(
    aiohttp_server: Server,
):
    app = gateway(right)
    seen = routed(app)
    server = await aiohttp_server(app)
    code, output = await locust(str(server.make_url("/")).rstrip("/"), "ApiUser", **OPEN, LOADTEST_USERS="20")
    assert code == 0, output
    assert seen.total() == len(seen) == ARRIVALS


async def test_arrivals_that_find_nobody_free_are_not_put_off_and_fail_the_run(aiohttp_server: Server):
    app = gateway(right)
    seen = routed(app, delay_s=0.5)
    server = await aiohttp_server(app)
    code, output = await locust(str(server.make_url("/")).rstrip("/"), "ApiUser", **OPEN, LOADTEST_USERS="4")
    assert code == 1
    assert "no user was free to send it" in output
    left_out = int(re.findall(r"^ARRIVAL +undispatched +\d+ +(\d+)", output, re.MULTILINE)[-1])
    assert left_out + len(seen) == ARRIVALS
    assert len(seen) < 30


async def page_of_a_run(server: TestServer, port: int, master_port: int) -> tuple[dict[str, Any], dict[str, Any], str]:
    """What our page and Locust's own say at the end of a run with two workers, started as from the page."""
    command = [LOCUST, "-f", "loadtest", "--processes", "2", "--web-port", str(port), "ApiUser"]
    command += ["--host", str(server.make_url("/")).rstrip("/"), "--web-host", "127.0.0.1"]
    command += ["--master-bind-port", str(master_port), "--master-port", str(master_port)]
    environment = os.environ | OPEN | {"LOADTEST_USERS": "20"}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(40), aiohttp.ClientSession() as session:

            async def look(path: str) -> dict[str, Any]:
                try:
                    async with session.get(f"{address}{path}") as answer:
                        return dict(await answer.json())
                except aiohttp.ClientError:
                    return {}

            async def until(path: str, what: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
                while not what(found := await look(path)):
                    await asyncio.sleep(0.1)
                return found

            await until("/stats/requests", lambda found: len(found.get("workers", ())) == 2)
            async with session.post(f"{address}/swarm", data={"user_count": 1, "spawn_rate": 1}) as started:
                assert (await started.json())["success"]
            await until("/tidegate.json", lambda found: found.get("state") == "stopped")
            figures = await until("/tidegate.json", lambda found: sum(found["columns"]["answered"]) >= ARRIVALS)
            async with session.get(address) as front, session.get(f"{address}/tidegate") as page:
                assert "Tidegate load" in await page.text()
                return figures, await look("/stats/requests"), await front.text()
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # the workers too
        await process.wait()


async def test_two_workers_share_the_arrivals_and_the_page_adds_up_what_became_of_them(
    aiohttp_server: Server, unused_tcp_port_factory: Callable[[], int]
):
    app = gateway(right)
    seen = routed(app)
    server, ports = await aiohttp_server(app), (unused_tcp_port_factory(), unused_tcp_port_factory())
    figures, stats, front = await page_of_a_run(server, *ports)
    assert seen.total() == len(seen) == ARRIVALS
    columns = figures["columns"]
    for name in ("arrivals", "sent", "answered", "right"):
        assert sum(columns[name]) == ARRIVALS, name
    assert sum(columns["undispatched"]) == figures["never_due"] == 0
    assert figures["planned"] == [60]
    assert {name: sum(counts) > 0 for name, counts in columns["pods"].items()} == {"gate-0": True, "gate-1": True}
    assert sum(columns["backends"]["10.0.0.1:8500"]) == sum(columns["versions"]["7"]) == ARRIVALS
    (ours,) = stats["extended_stats"]
    assert {row["identity"] for row in ours["data"]} == {"gate-0", "gate-1", "10.0.0.1:8500", "7"}
    assert "Who answered" in front
    assert 'href="tidegate"' in front


async def test_users_of_other_protocols_run_only_when_named(aiohttp_server: Server, tmp_path: Path):
    server = await aiohttp_server(reader([0.2, 0.8]))
    host = str(server.make_url("/")).rstrip("/")
    code, output = await locust(host, "-t", "1s", "OipUser", LOADTEST_MODEL="reader", LOADTEST_CARDS=str(tmp_path))
    assert code == 0, output
    assert "infer reader" in output
    assert "predict reader" not in output


async def test_a_model_server_is_asked_over_grpc_when_that_user_is_named(model_server):
    code, output = await locust(
        "http://127.0.0.1:9", "-t", "1s", "GrpcUser", LOADTEST_GRPC_HOST=model_server.address, LOADTEST_MODEL="digits"
    )
    assert code == 0, output
    assert "Predict digits" in output


async def test_no_model_server_fails_the_run_with_what_came(unused_tcp_port: int):
    code, output = await locust(
        "http://127.0.0.1:9", "-t", "1s", "GrpcUser", LOADTEST_GRPC_HOST=f"127.0.0.1:{unused_tcp_port}"
    )
    assert code == 1
    assert "expected status OK, came UNAVAILABLE" in output


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

    async def infer(request: web.Request) -> web.Response:
        (given,) = (await request.json())["inputs"]
        count = given["shape"][0]
        assert (given["name"], given["datatype"], given["shape"]) == ("x", "FP32", [count, 3])
        output = {"name": "p", "datatype": "FP32", "shape": [count, 2], "data": says * count}
        headers = {"X-Request-ID": request.headers["X-Request-ID"]}
        return web.json_response({"model_name": "reader", "outputs": [output]}, headers=headers)

    app = web.Application()
    app.add_routes(
        [
            web.get("/v1/models/reader/metadata", metadata),
            web.post("/v1/models/reader:predict", predict),
            web.post("/v2/models/reader/infer", infer),
        ]
    )
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
