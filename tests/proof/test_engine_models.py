"""What the engine sends to a model is the load test's, drawn by seed, and judged row by row."""

import asyncio
import json

import pytest

import work
from tests.ports import free_port
from tests.proof.model_payloads import metadata, of_the_gate, of_work
from tidegate_proof.engine.models import learn, requests_of
from tidegate_proof.engine.target import Target, TargetError


def test_requests_of_a_seed_are_the_same_and_others_of_another():
    bodies = [[one.body for one in requests_of(of_the_gate(), 4, seed, count=8)] for seed in (1, 1, 2)]
    assert bodies[0] == bodies[1] != bodies[2]
    assert len(set(bodies[0])) > 1
    assert all(len(json.loads(body)["instances"]) == 4 for body in bodies[0])


def test_an_answer_of_the_gate_is_judged_by_the_rows_that_were_sent():
    one, other = requests_of(of_the_gate(), rows=40, seed=1, count=2)
    shares = [[0.9, 0.1] if row[0] == 0 else [0.1, 0.9] for row in json.loads(one.body)["instances"]]
    answer = json.dumps({"predictions": shares}).encode()
    assert one.wrong(answer) == ""
    assert "wrong answer" in other.wrong(answer)
    assert "expected 40 rows" in one.wrong(b'{"predictions": []}')
    assert all("expected JSON" in one.wrong(said) for said in (b"<html>", b"", b"[" * 100_000, b"[]"))


def test_an_answer_of_work_is_judged_to_the_last_digit():
    (one,) = requests_of(of_work(iterations=20), rows=2, seed=1, count=1)
    rows = [(row["seed"], row["iterations"]) for row in json.loads(one.body)["instances"]]
    assert {iterations for _, iterations in rows} == {20}
    right = [work.expected(row) for row in rows]
    assert one.wrong(json.dumps({"predictions": right}).encode()) == ""
    assert "wrong answer" in one.wrong(json.dumps({"predictions": [right[0], right[1] + 1]}).encode())


async def test_a_gateway_is_asked_what_fits_and_one_that_does_not_tell_is_refused():
    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = json.dumps(metadata("work")).encode() if b"/v1/models/work/metadata " in head else b"{}"
        status = b"200 OK" if len(body) > 2 else b"404 Not Found"
        writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
        writer.close()

    telling = await asyncio.start_server(tell, "127.0.0.1", 0)
    async with telling:
        gateway = Target("127.0.0.1", telling.sockets[0].getsockname()[1], "/")
        learned = await asyncio.to_thread(learn, gateway, "work", seed=1, iterations=5, folders=())
        assert learned == of_work(iterations=5)
        with pytest.raises(TargetError, match="expected 200, came 404"):
            await asyncio.to_thread(learn, gateway, "nobody", seed=1)
    with pytest.raises(TargetError, match="expected a model's metadata"):
        await asyncio.to_thread(learn, Target("127.0.0.1", free_port(), "/"), "work", seed=1)
