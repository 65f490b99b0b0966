"""Hostile clients: every answer is of the error table, the gateway lives on, and its memory is bounded."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fuzz import sockets
from tests.fuzz.campaign import GOOD_ANSWER, Campaign, attack, good, judge, start_gateway
from tests.fuzz.grammar import Case, make
from tests.fuzz.oracle import exchange
from tests.resilience.processes import Gateway, staged

CORPUS = sorted((Path(__file__).resolve().parents[1] / "fuzz" / "corpus").glob("*.http"))
COUNT = 3_000
SEED = 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture
async def gateway(folder: Path) -> AsyncIterator[Gateway]:
    with staged(folder) as stage:
        yield await start_gateway(stage)


def test_a_seed_makes_the_same_case_again():
    assert [make(seed) for seed in range(200)] == [make(seed) for seed in range(200)]


async def test_hostile_requests_find_nothing(gateway):
    campaign = await attack(gateway, range(SEED, SEED + COUNT))
    assert not campaign.findings, [
        (finding.seed, finding.complaint, finding.case.data[:300]) for finding in campaign.findings[:5]
    ]
    assert campaign.statuses[200] > COUNT / 100
    assert campaign.statuses[400] > COUNT / 4


async def test_what_was_once_found_stays_mended(gateway):
    """A file of the corpus is what was sent; its name begins with the status that answers it, 0 for no answer."""
    host, _, port = gateway.http.rpartition(":")
    assert CORPUS
    for file in CORPUS:
        case = Case("corpus", file.read_bytes())
        assert await judge(gateway, case, Campaign()) == "", file.name
        heard = await exchange(host, int(port), case)
        assert (heard.statuses or (0,))[0] == int(file.name.partition("-")[0]), (file.name, heard)
    assert (await good(gateway)).last_body == GOOD_ANSWER


async def test_what_clients_do_to_their_sockets_harms_nobody_else(gateway):
    host, _, port = gateway.http.rpartition(":")
    heard = {name: await behave((host, int(port))) for name, behave in sockets.BEHAVIOURS.items()}
    await asyncio.gather(*(behave((host, int(port))) for behave in sockets.BEHAVIOURS.values() for _ in range(20)))
    assert heard["pipelined"].count(b"HTTP/1.1 200 OK") == 50
    assert heard["one byte at a time"].endswith(GOOD_ANSWER)
    assert heard["tls"].split()[1] == b"400"
    assert (await good(gateway)).last_body == GOOD_ANSWER
    assert gateway.process.poll() is None
    assert "Traceback" not in gateway.log.read_text()


async def test_a_body_that_trickles_ends_with_its_deadline(gateway):
    host, _, port = gateway.http.rpartition(":")
    started = asyncio.create_task(sockets.trickle((host, int(port)), sockets.LONG_HEAD, 0.05, 30))
    await asyncio.sleep(1)
    assert (await good(gateway)).last_body == GOOD_ANSWER
    took_s, heard = await started
    assert heard.startswith(b"HTTP/1.1 504 ")
    assert 0.5 <= took_s < 20  # aiohttp reads on for ten seconds before it closes
