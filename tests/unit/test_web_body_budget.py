"""Bodies in hand are bounded together, and one is always let in."""

import asyncio
from collections.abc import AsyncIterator

import pytest

PREDICT = "/v1/models/and_gate:predict"
LARGE = b'{"instances": [[1, 1]]' + b" " * 700_000 + b"}"


async def test_one_body_too_many_is_refused_before_it_is_read_and_then_there_is_room_again(
    start_gateway, fake_predictor
):
    predictor = fake_predictor(held=asyncio.Event())
    gateway = await start_gateway(predictor, max_body_mb=1, max_bodies_mb=1)
    first = asyncio.create_task(gateway.client.post(PREDICT, data=LARGE))
    while not predictor.seen:
        await asyncio.sleep(0.01)
    refused = await gateway.client.post(PREDICT, data=LARGE)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert gateway.metrics.registry.get_sample_value("tidegate_shed_total", {"reason": "bodies"}) == 1
    predictor.held.set()
    assert (await first).status == 200
    assert (await gateway.client.post(PREDICT, data=LARGE)).status == 200


@pytest.mark.parametrize("chunked", [True, False])
async def test_small_bodies_pass_beside_large_ones_unless_their_size_is_unknown(start_gateway, fake_predictor, chunked):
    predictor = fake_predictor(held=asyncio.Event())
    gateway = await start_gateway(predictor, max_body_mb=1, max_bodies_mb=1)
    first = asyncio.create_task(gateway.client.post(PREDICT, data=LARGE))
    while not predictor.seen:
        await asyncio.sleep(0.01)

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"instances": [[1, 1]]}'

    second = asyncio.create_task(gateway.client.post(PREDICT, data=pieces() if chunked else b'{"instances": [[1, 1]]}'))
    await asyncio.wait([second], timeout=0.2)
    assert second.done() == chunked
    predictor.held.set()
    assert (await first).status == 200
    assert (await second).status == (429 if chunked else 200)


async def test_one_body_alone_may_be_larger_than_all_together(start_gateway):
    gateway = await start_gateway(max_body_mb=1, max_bodies_mb=0.1)
    assert (await gateway.client.post(PREDICT, data=LARGE)).status == 200
