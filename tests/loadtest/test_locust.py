"""`locust -f loadtest` as a user runs it, against gateways that are right, wrong, busy and absent."""

import asyncio
import base64
import json
import math
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import arrivals
from tests.loadtest.one_model import TEXT, OneModel, gateway, signature, tensor
from tidegate_web.errors import BadInput, TidegateError, Unavailable
from tidegate_web.prediction import Array

ROOT = Path(__file__).resolve().parents[2]
LOCUST = str(Path(sys.executable).with_name("locust"))

Answer = Callable[[Array], Array]


def right(rows: Array) -> Array:
    found: Array = (rows != 0).all(axis=1)
    return found


def gate(answer: Answer = right, error: TidegateError | None = None) -> OneModel:
    def model(inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        shares = np.where(answer(inputs["inputs"])[:, None], [0.25, 0.75], [0.75, 0.25])
        return {"probabilities": shares.astype(np.float32)}

    known = signature({"inputs": tensor(None, 2)}, {"probabilities": tensor(None, 2)})
    return OneModel("and_gate", known, model, error=error)


Server = Callable[[web.Application], Awaitable[TestServer]]


def address(server: TestServer) -> str:
    return str(server.make_url("/")).rstrip("/")


async def locust(host: str, *options: str, **environment: str) -> tuple[int, str]:
    """Run Locust; gives its exit code and all that it printed."""
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
    server = await aiohttp_server(gateway(gate()))
    code, output = await locust(address(server), "-t", "1s")
    assert code == 0, output
    for name in ("predict instances", "predict inputs", "form open", "form send"):
        assert name in output
    assert "infer" not in output, "users of other protocols run when named"


async def test_wrong_classes_fail_the_run_and_are_named(aiohttp_server: Server):
    server = await aiohttp_server(gateway(gate(lambda rows: rows[:, 0] == 1)))
    code, output = await locust(address(server), "-t", "1s")
    assert code == 1
    assert "wrong class for (" in output
    assert re.search(r"POST form send: wrong answer for \[.*\]: expected [01], came \[0", output)


async def test_refusals_fail_the_run(aiohttp_server: Server):
    server = await aiohttp_server(gateway(gate(error=Unavailable("away"))))
    code, output = await locust(address(server), "-t", "1s")
    assert code == 1
    assert "expected status 200, came 503" in output


async def test_nobody_there_fails_the_run(unused_tcp_port: int):
    code, output = await locust(f"http://127.0.0.1:{unused_tcp_port}", "-t", "1s")
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


async def test_a_host_that_nothing_can_be_sent_to_is_refused_in_words():
    code, output = await locust("127.0.0.1:8080")
    assert code == 1
    assert "tidegate: --host=127.0.0.1:8080: expected http://… or https://…" in output


async def test_a_shape_replaces_users_and_run_time(aiohttp_server: Server):
    server = await aiohttp_server(gateway(gate()))
    code, output = await locust(address(server), LOADTEST_SHAPE="step", LOADTEST_USERS="4", LOADTEST_DURATION_S="1")
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
        if "X-Request-ID" in request.headers:
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
    app = gateway(gate())
    seen = routed(app)
    server = await aiohttp_server(app)
    code, output = await locust(address(server), "ApiUser", **OPEN, LOADTEST_USERS="20")
    assert code == 0, output
    assert seen.total() == len(seen) == ARRIVALS


async def test_arrivals_that_find_nobody_free_are_not_put_off_and_fail_the_run(aiohttp_server: Server):
    app = gateway(gate())
    seen = routed(app, delay_s=0.5)
    server = await aiohttp_server(app)
    code, output = await locust(address(server), "ApiUser", **OPEN, LOADTEST_USERS="4")
    assert code == 1
    assert "no user was free to send it" in output
    left_out = int(re.findall(r"^ARRIVAL +undispatched +\d+ +(\d+)", output, re.MULTILINE)[-1])
    assert left_out + len(seen) == ARRIVALS
    assert len(seen) < 30


async def page_of_a_run(server: TestServer, port: int, master_port: int) -> tuple[dict[str, Any], dict[str, Any], str]:
    """What our page and Locust's own say at the end of a run with two workers, started as from the page."""
    command = [LOCUST, "-f", "loadtest", "--processes", "2", "--web-port", str(port), "ApiUser"]
    command += ["--host", address(server), "--web-host", "127.0.0.1"]
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
    page_host = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(40), aiohttp.ClientSession() as session:

            async def look(path: str) -> dict[str, Any]:
                try:
                    async with session.get(f"{page_host}{path}") as answer:
                        return dict(await answer.json())
                except aiohttp.ClientError:
                    return {}

            async def until(path: str, what: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
                while not what(found := await look(path)):
                    await asyncio.sleep(0.1)
                return found

            await until("/stats/requests", lambda found: len(found.get("workers", ())) == 2)
            async with session.post(f"{page_host}/swarm", data={"user_count": 1, "spawn_rate": 1}) as started:
                assert (await started.json())["success"]
            await until("/tidegate.json", lambda found: found.get("state") == "stopped")
            figures = await until("/tidegate.json", lambda found: sum(found["columns"]["answered"]) >= ARRIVALS)
            async with session.get(page_host) as front, session.get(f"{page_host}/tidegate") as page:
                assert "Tidegate load" in await page.text()
                return figures, await look("/stats/requests"), await front.text()
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # the workers too
        await process.wait()


async def test_two_workers_share_the_arrivals_and_the_page_adds_up_what_became_of_them(
    aiohttp_server: Server, unused_tcp_port_factory: Callable[[], int]
):
    app = gateway(gate())
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
    server = await aiohttp_server(gateway(reader([0.2, 0.8])))
    host = address(server)
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


def reader(says: list[float]) -> OneModel:
    """A model from three numbers to the shares of two classes, always the same."""
    known = signature({"x": tensor(None, 3)}, {"p": tensor(None, 2)})
    return OneModel("reader", known, lambda inputs: {"p": np.array([says] * len(inputs["x"]), np.float32)})


ASKED = ("POST predict reader", "POST form send")
CARD = {"class_names": ["low", "high"], "examples": [{"inputs": {"x": [0, 5, 9]}, "expected": "high"}]}


@pytest.mark.parametrize(
    ("says", "code", "texts"),
    [
        ([0.2, 0.8], 0, ()),
        ([0.8, 0.2], 1, [f"{asked}: wrong answer for [0, 5, 9]: expected high, came [0.8, 0.2]" for asked in ASKED]),
        ([0.8, math.nan], 1, [f"{asked}: p: expected finite DT_FLOAT" for asked in ASKED]),
    ],
)
async def test_any_model_is_sent_what_its_signature_and_card_say(aiohttp_server: Server, tmp_path, says, code, texts):
    (tmp_path / "reader.json").write_text(json.dumps(CARD))
    host = address(await aiohttp_server(gateway(reader(says), tmp_path)))
    environment = {"LOADTEST_MODEL": "reader", "LOADTEST_CARDS": str(tmp_path), "LOADTEST_SEED": "1"}
    ended, output = await locust(host, "-t", "1s", **environment)
    assert ended == code, output
    for name in ("predict reader", "form open", "form send", *texts):
        assert name in output


async def test_a_model_of_picture_files_is_sent_them_by_its_form(aiohttp_server: Server, tmp_path: Path):
    known = signature({"png": tensor(None, dtype=TEXT)}, {"bytes": tensor(None)})
    sizes = OneModel("photo", known, lambda inputs: {"bytes": np.array([*map(len, inputs["png"])], np.float32)})
    examples = [
        {"inputs": {"png": {"b64": base64.b64encode(b"\xff" * size).decode()}}, "expected": size} for size in (9, 99)
    ]
    (tmp_path / "photo.json").write_text(json.dumps({"examples": examples}))
    host = address(await aiohttp_server(gateway(sizes, tmp_path)))
    code, output = await locust(
        host, "-t", "1s", "FormUser", LOADTEST_MODEL="photo", LOADTEST_CARDS=str(tmp_path), LOADTEST_SEED="1"
    )
    assert code == 0, output
    assert "form send" in output


async def test_a_model_that_is_not_there_fails_the_run(aiohttp_server: Server):
    server = await aiohttp_server(gateway(reader([])))
    code, output = await locust(address(server), "-t", "1s", LOADTEST_MODEL="nix")
    assert code == 1
    assert "GET metadata: expected status 200, came 404: Servable not found for request: Latest(nix)" in output


async def test_what_the_gateway_refuses_is_told_in_its_own_words_by_api_and_form(aiohttp_server: Server):
    refused = BadInput("Could not decode the picture")
    host = address(await aiohttp_server(gateway(replace(reader([]), error=refused))))
    code, output = await locust(host, "-t", "1s", LOADTEST_MODEL="reader")
    assert code == 1
    for asked in ASKED:
        assert f"{asked}: expected status 200, came 400: Could not decode the picture" in output


async def test_a_run_begins_when_one_user_knows_for_all_and_the_result_of_a_form_answers_its_arrival(
    aiohttp_server: Server, tmp_path: Path
):
    app = gateway(reader([0.2, 0.8]))
    routed(app, delay_s=0.1)
    host = address(await aiohttp_server(app))
    model = {"LOADTEST_MODEL": "reader", "LOADTEST_CARDS": str(tmp_path), "LOADTEST_USERS": "100"}
    code, output = await locust(host, "FormUser", **OPEN | model)
    assert code == 0, output
    assert re.search(r"^GET +metadata +1 ", output, re.MULTILINE), output
    fastest_ms = int(re.findall(r"^POST +form send .*?\| +\d+ +(\d+)", output, re.MULTILINE)[-1])
    assert fastest_ms >= 200, "it counts from when the form was to be opened"
