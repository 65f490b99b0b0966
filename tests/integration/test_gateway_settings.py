"""Settings that both ways into a running gateway must heed; a `TE` header sends a request the plain way."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.resilience.load import Answer, Connection, connect, get, post
from tests.resilience.processes import Stage, ask, staged, static

PREDICT = "/v1/models/and_gate:predict"
ROW = b'{"instances": [[1, 0]]}'
WAYS: list[dict[str, str]] = [{}, {"TE": "trailers"}]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    with staged(tmp_path) as stage:
        yield stage


async def test_the_named_header_chooses_a_clients_version_and_answers_are_numbered(stage, tmp_path):
    routes = tmp_path / "routes.yaml"
    routes.write_text("and_gate: {stable: 1, canary: 1}\n")
    labels = ("--label", "and_gate:stable=1", "--label", "and_gate:canary=2")
    server = await stage.model_server("--model", "and_gate=1,2", *labels)
    gateway = await stage.gateway(
        static(server), routes_file=str(routes), client_id_header="X-Tenant", expose_route="1", pod_name="web-a"
    )
    answers: list[Answer] = []
    versions: list[set[str]] = []
    for number in range(20):
        asked = [await ask(gateway.http, post(PREDICT, ROW, {"X-Tenant": f"client-{number}", **way})) for way in WAYS]
        assert [answer.status for answer in asked] == [200, 200]
        versions.append({answer.headers["tidegate-model-version"] for answer in asked})
        answers += asked
    assert all(len(seen) == 1 for seen in versions)
    assert set.union(*versions) == {"1", "2"}
    assert [int(answer.headers["tidegate-seq"]) for answer in answers] == list(range(1, 41))
    assert {answer.headers["tidegate-pod"] for answer in answers} == {"web-a"}
    assert {answer.headers["tidegate-backend"] for answer in answers} == {server.address}


async def test_connections_past_the_limit_are_refused_and_counted_whichever_way_the_others_went(stage):
    gateway = await stage.gateway(static(await stage.model_server()), max_connections="2")
    kept: list[Connection] = []
    for way in WAYS:
        kept.append(await connect(gateway.http))
        assert (await kept[-1].ask(post(PREDICT, ROW, way))).status == 200
    refused = await ask(gateway.http, post(PREDICT, ROW))
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert json.loads(refused.body)["error"].startswith("2 connections are open")
    metrics = (await ask(gateway.ops, get("/metrics"))).body.decode()
    assert 'tidegate_shed_total{reason="connections"} 1.0' in metrics
    for connection in kept:
        connection.close()
    async with asyncio.timeout(10):
        while (await ask(gateway.http, post(PREDICT, ROW))).status != 200:
            await asyncio.sleep(0.02)
