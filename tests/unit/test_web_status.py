"""The status page: readings become rates, quantiles and events; the history is bounded; streams are too."""

import asyncio
import json
import math
import random
import re
from typing import Any

import pytest
from aiohttp import web

from tidegate_web.server import audience
from tidegate_web.server import peers as server_peers
from tidegate_web.server import status as server_status
from tidegate_web.server.audience import LOOKED_S, Audience
from tidegate_web.server.lifecycle import Lifecycle
from tidegate_web.server.peers import Peers
from tidegate_web.server.status import LiveStatus
from tidegate_web.server.web_tier import WebTier
from tidegate_web.settings import Settings
from tidegate_web.status import pictures
from tidegate_web.status.board import Board, duration, number
from tidegate_web.status.history import EVENTS, SAMPLES, History
from tidegate_web.status.reading import About, BackendReading, Limits, LoadedVersion, Peer, Reading
from tidegate_web.tally import Tally, quantile_s

ABOUT = About("web-<1>", "0.1.0", Limits(256, 1024), "static:a:1")
NOON = 1_750_000_000.0


class Source:
    """A gateway whose figures a test sets; each reading is a second after the last."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.second = 0
        self.backends: list[BackendReading] = []
        self.gateways: frozenset[str] | None = None
        self.peers: tuple[Peer, ...] = ()
        self.pending = 0
        self.retries = 0

    def __call__(self) -> Reading:
        self.second += 1
        return Reading(
            unix_s=NOON + self.second,
            monotonic_s=float(self.second),
            requests=sum(self.tally.durations),
            failures=self.tally.failures,
            refused=self.tally.refused,
            durations=tuple(self.tally.durations),
            inflight=3,
            pending=self.pending,
            pending_average=1.5,
            retries=self.retries,
            backends=tuple(self.backends),
            gateways=self.gateways,
            peers=self.peers,
        )

    def use(self, *addresses: str, version: int = 1, calls: int = 0) -> None:
        loaded = (LoadedVersion("and_gate", version, "AVAILABLE"),)
        self.backends = [BackendReading(address, "ready", 2, calls, loaded) for address in addresses]


def events(history: History) -> list[tuple[str, str, str]]:
    return [(event.tier, event.kind, event.name) for event in history.events]


def test_quantiles_are_within_three_per_cent_of_the_exact_ones():
    tally, draw = Tally(), random.Random(7)
    took = sorted(draw.lognormvariate(math.log(0.01), 1.0) for _ in range(5000))
    for seconds in took:
        tally.note(200, seconds)
    for share in (0.5, 0.9, 0.99):
        exact = took[math.ceil(share * len(took)) - 1]
        assert quantile_s(tally.durations, share) == pytest.approx(exact, rel=0.03)


@pytest.mark.parametrize("took_s", [0.0, 1e-9, 0.0001, 104.0, 1e6])
def test_every_duration_has_a_bucket(took_s):
    tally = Tally()
    tally.note(200, took_s)
    assert sum(tally.durations) == 1
    assert quantile_s(tally.durations, 0.99) is not None


def test_no_request_has_no_quantile():
    assert quantile_s(Tally().durations, 0.5) is None


def test_rates_are_of_the_last_interval_and_failures_are_told_from_refusals():
    source, history = Source(), History()
    source.use("a:1", calls=100)
    source.tally.note(200, 0.01)
    assert history.take(source()).rate == 0
    for status in (200, 200, 429, 499, 503):
        source.tally.note(status, 0.02)
    source.retries = 2
    source.use("a:1", calls=130)
    sample = history.take(source())
    assert (sample.rate, sample.failure_rate, sample.refused_rate, sample.retry_rate) == (5, 1, 1, 2)
    assert sample.p99_ms == pytest.approx(20, rel=0.03)
    assert history.backends[0].rate == 30
    assert history.take(source()).p99_ms is None


def test_a_server_that_came_back_and_counts_from_zero_has_no_negative_rate():
    source, history = Source(), History()
    source.use("a:1", calls=100)
    history.take(source())
    source.use("a:1", calls=0)
    history.take(source())
    assert history.backends[0].rate == 0


def test_what_joins_and_leaves_is_an_event_but_not_what_was_there_at_first():
    source, history = Source(), History()
    source.use("a:1")
    source.gateways = frozenset({"g:1"})
    history.take(source())
    assert not history.events
    source.use("a:1", "b:1")
    history.take(source())
    source.use("b:1", version=2)
    source.gateways = frozenset({"g:1", "h:1"})
    history.take(source())
    assert events(history) == [
        ("serving", "joined", "b:1"),
        ("serving", "left", "a:1"),
        ("web", "joined", "h:1"),
        ("model", "joined", "and_gate version 2"),
        ("model", "left", "and_gate version 1"),
    ]


def test_gateways_that_become_known_did_not_all_join():
    source, history = Source(), History()
    history.take(source())
    source.gateways = frozenset({"g:1", "h:1"})
    sample = history.take(source())
    assert sample.web == 2
    assert not history.events


def test_the_history_is_bounded():
    source, history = Source(), History()
    for turn in range(SAMPLES + 50):
        source.use("a:1" if turn % 2 else "b:1")
        history.take(source())
    assert len(history.samples) == SAMPLES
    assert len(history.events) == EVENTS


@pytest.mark.parametrize(
    ("value", "top"), [(0.7, 0.8), (1, 1), (1.1, 2), (4.2, 5), (7, 8), (9, 10), (11, 20), (257, 300), (812, 1e3)]
)  # fmt: skip
def test_an_axis_ends_at_a_round_number_that_is_not_below_the_value(value, top):
    assert pictures.nice(value) == pytest.approx(top)


def test_thinning_keeps_peaks_and_gaps():
    points: list[pictures.Point] = [(0.0, 1.0), (1.0, 9.0), (2.0, None), (3.0, None), (4.0, 2.0)]
    assert pictures.thin(points) == [(2, 9.0), (4, None), (6, 2.0)]


def coordinates(svg: str, style: str) -> list[str]:
    return re.findall(rf'<path class="line {style}" d="([^"]+)"', svg)


def test_replicas_are_drawn_as_steps_at_the_second_they_changed():
    line = pictures.Line("servers", "serving", [(0.0, 2), (100.0, 2), (200.0, 4), (300.0, 4)], stepped=True)
    picture = pictures.draw([line], 300.0, "Replicas", pictures.Axes(floor=4))
    assert picture.top == 5
    assert coordinates(picture.svg, "serving") == ["M300 120.0H500V40.0H600"]
    assert 'aria-label="Replicas, the last ten minutes: servers now 4, least 2, most 4"' in picture.svg


def test_a_line_has_a_gap_where_nothing_was_measured_and_what_is_older_is_not_drawn():
    line = pictures.Line("p99", "web", [(-100.0, 1), (590.0, 1), (592.0, None), (594.0, 1), (596.0, 2)])
    picture = pictures.draw([line], 600.0, "Latency", pictures.Axes(floor=2))
    assert [d.partition(" ")[0] for d in coordinates(picture.svg, "web")] == ["M590", "M594"]


def test_the_limit_is_drawn_once_the_picture_reaches_it():
    low = pictures.Line("pending", "web", [(0.0, 5), (1.0, 5)])
    high = pictures.Line("pending", "web", [(0.0, 5), (1.0, 300)])
    axes = pictures.Axes(floor=10, limit=256)
    assert 'class="limit"' not in pictures.draw([low], 1.0, "Pending", axes).svg
    assert 'class="limit"' in pictures.draw([high], 1.0, "Pending", axes).svg


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (3.25, "3.2"), (99.96, "100.0"), (1234.4, "1\u202f234"), (7.0, "7")]
)
def test_numbers_are_as_short_as_their_size_allows(value, text):
    assert number(value) == text


def test_durations_have_the_unit_that_fits():
    assert [duration(ms) for ms in (None, 0.84, 123.4, 2500)] == [
        ("–", ""), ("0.8", "ms"), ("123", "ms"), ("2.5", "s")  # noqa: RUF001 an absent figure's dash
    ]  # fmt: skip


def board_of(source: Source, readings: int = 2) -> tuple[Board, History]:
    history = History()
    for _ in range(readings):
        history.take(source())
    return Board(ABOUT, history), history


def test_names_from_outside_are_escaped():
    source = Source()
    source.use("<b>:1")
    board, history = board_of(source, 1)
    source.use('<i>"&:2')
    history.take(source())
    page = board.page([])
    assert "<b>" not in page
    assert "<i>" not in page
    assert "web-&lt;1&gt;" in page


def test_a_server_that_joined_stands_out_and_one_that_left_stays_as_an_outline_for_a_while():
    source = Source()
    source.use("10.0.0.1:8500", "10.0.0.2:8500")
    board, history = board_of(source)
    source.use("10.0.0.2:8500", "10.0.0.3:8500")
    history.take(source())
    pods = board.parts()["pods"]
    assert re.findall(r'pod (\w+)">(?:.|\n)*?class="name">([\d.]+)', pods.partition("model servers")[2]) == [
        ("ready", "10.0.0.2"), ("fresh", "10.0.0.3"), ("gone", "10.0.0.1")
    ]  # fmt: skip
    for _ in range(20):
        history.take(source())
    pods = board.parts()["pods"]
    assert "fresh" not in pods
    assert "gone" not in pods


def test_where_kubernetes_tells_nothing_the_page_says_so_and_counts_this_pod_alone():
    board, _ = board_of(Source())
    pods = board.parts()["pods"]
    assert "1 +" in pods
    assert "is not known here" in pods
    assert "gateways <strong>unknown</strong>" in board.parts()["scaling"]


def test_the_page_has_no_inline_style_or_script():
    source = Source()
    source.use("a:1")
    page = board_of(source)[0].page(["draining"])
    assert not re.search(r"<style|style=|<script(?! src)|\son[a-z]+=", page)
    assert "draining" in page


@pytest.fixture
def live(aiohttp_client: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The status routes over a Source, sampled every few milliseconds."""
    monkeypatch.setattr(server_status, "INTERVAL_S", 0.01)
    tasks: list[asyncio.Task[None]] = []

    async def start() -> Any:
        source, lifecycle = Source(), Lifecycle(listening=True, discovered=True)
        source.use("127.0.0.1:8500")
        live = LiveStatus(ABOUT, source, lifecycle, Audience())
        app = web.Application()
        app.add_routes(live.routes())
        tasks.append(asyncio.create_task(live.sample()))
        return await aiohttp_client(app), source, lifecycle

    yield start
    for task in tasks:
        task.cancel()


async def samples(response: Any) -> Any:
    async for line in response.content:
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


async def test_the_stream_brings_each_sample_with_the_parts_of_the_page(live):
    client, source, _ = await live()
    async with asyncio.timeout(10), client.get("/status/events") as response:
        assert response.content_type == "text/event-stream"
        seen: list[float] = []
        async for news in samples(response):
            source.tally.note(200, 0.01)
            seen.append(news["sample"]["unix_s"])
            if news["sample"]["rate"] > 0 and len(seen) > 3:
                break
    assert seen == sorted(set(seen))
    assert set(news["parts"]) == {"figures", "pods", "scaling", "pictures", "gateways", "backends", "events"}
    page = await (await client.get("/status")).text()
    assert all(f'id="{part}"' in page for part in news["parts"])


async def test_streams_are_bounded_and_make_room_when_a_watcher_leaves(live, monkeypatch):
    monkeypatch.setattr(audience, "MOST_STREAMS", 2)
    client, _, _ = await live()
    one, two = await client.get("/status/events"), await client.get("/status/events")
    refused = await client.get("/status/events")
    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
    assert (await client.get("/status")).status == 200
    one.close()
    async with asyncio.timeout(10):
        while (again := await client.get("/status/events")).status == 503:
            await asyncio.sleep(0.01)
    for response in (two, again):
        response.close()


async def test_draining_ends_streams_after_a_last_sample_that_says_so(live):
    client, _, lifecycle = await live()
    async with asyncio.timeout(10), client.get("/status/events") as response:
        stream = samples(response)
        await anext(stream)
        lifecycle.draining = True
        rest = [news async for news in stream]
    assert rest[-1]["not_ready"] == ["draining"]
    assert (await client.get("/status/events")).status == 503


async def test_a_sample_that_fails_is_left_out_and_the_next_one_taken(live, caplog):
    client, source, _ = await live()
    backends = source.backends
    source.backends = None  # breaks the next readings
    async with asyncio.timeout(10):
        while "no sample of the status" not in caplog.text:
            await asyncio.sleep(0.01)
        source.backends = backends
        before = (await (await client.get("/status.json")).json())["now"]["unix_s"]
        while (await (await client.get("/status.json")).json())["now"]["unix_s"] == before:
            await asyncio.sleep(0.01)


async def test_the_document_tells_backends_limits_history_and_events(live):
    client, source, _ = await live()
    source.use("127.0.0.1:8500", "127.0.0.1:8600")
    async with asyncio.timeout(10):
        while not (document := await (await client.get("/status.json")).json())["events"]:
            await asyncio.sleep(0.01)
    assert (document["pod"], document["version"], document["not_ready"]) == ("web-<1>", "0.1.0", [])
    assert document["backends"][1] == {
        "address": "127.0.0.1:8600", "state": "ready", "outstanding": 2, "models": {"and_gate": {"1": "AVAILABLE"}}
    }  # fmt: skip
    assert document["limits"] == {"inflight": 256, "queue": 1024, "per_backend": False}
    assert document["gateways"] is None
    assert document["history"][-1] == document["now"]
    assert document["events"][0]["name"] == "127.0.0.1:8600"


@pytest.mark.parametrize(
    "settings", [{}, {"backends": "dns:a:1"}, {"backends": "endpointslice:a:1", "web_service": "-"}]
)
async def test_outside_kubernetes_nobody_knows_the_other_gateways(settings):
    tier = WebTier.of(Settings(**settings))
    await tier.follow()
    assert tier.addresses is None


async def test_the_web_tier_is_what_its_discovery_says_and_unknown_when_that_ends_badly(caplog):
    known: list[frozenset[str] | None] = []

    class Scripted:
        async def watch(self):
            yield frozenset({"10.0.0.1:8081", "10.0.0.2:8081"})
            known.append(tier.addresses)
            raise RuntimeError("gone")

    tier = WebTier(Scripted())
    await tier.follow()
    assert known == [frozenset({"10.0.0.1:8081", "10.0.0.2:8081"})]
    assert tier.addresses is None
    assert "gateways not watched any more" in caplog.text


def test_the_page_counts_as_looked_at_while_a_stream_lasts_and_shortly_after_it_was_loaded():
    now = [100.0]
    watchers = Audience(clock=lambda: now[0])
    assert not watchers.present()
    with watchers.stream():
        assert watchers.present()
    assert not watchers.present()
    watchers.looked()
    assert watchers.present()
    now[0] += LOOKED_S
    assert not watchers.present()


def known(*addresses: str) -> WebTier:
    tier = WebTier(None)
    tier._addresses = frozenset(addresses)  # noqa: SLF001 as a watch would have told
    return tier


async def test_every_gateway_is_asked_while_somebody_looks_and_one_that_fails_is_shown_without_figures(
    live, aiohttp_server, monkeypatch
):
    monkeypatch.setattr(server_peers, "INTERVAL_S", 0.01)
    client, source, _ = await live()

    async def nonsense(_: web.Request) -> web.Response:
        return web.json_response({"now": []})

    other = web.Application()
    other.add_routes([web.get("/status.json", nonsense)])
    broken = await aiohttp_server(other)
    one, two = f"127.0.0.1:{client.port}", f"127.0.0.1:{broken.port}"
    looking = [False]
    peers = Peers(known(one, two, "127.0.0.1:1"), lambda: looking[0])
    task = asyncio.create_task(peers.follow())
    await asyncio.sleep(0.05)
    assert not peers.figures
    looking[0] = True
    source.pending = 5
    async with asyncio.timeout(10):
        while not any(peer.pending == 5 for peer in peers.figures):
            await asyncio.sleep(0.01)
    assert {(peer.address, peer.pod) for peer in peers.figures} == {(one, "web-<1>"), (two, ""), ("127.0.0.1:1", "")}
    task.cancel()


def test_all_gateways_are_summed_listed_and_drawn():
    source = Source()
    source.peers = (Peer("b:1", "web-b", 20.0, 1.0, 12.0, 3), Peer("a:1", "web-<1>", 10.5, 0.0, None, 4), Peer("c:1"))
    board, history = board_of(source)
    assert (history.samples[-1].all_rate, history.samples[-1].all_pending) == (30.5, 7)
    parts = board.parts()
    cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", parts["gateways"])
    assert cells[5:10] == ['web-&lt;1&gt; <span class="quiet">this one</span>', "10.5", "\N{EN DASH} ", "4", "0"]
    assert cells[-5:] == ["All", "30.5", "", "7", "1"]
    assert "does not answer" in parts["gateways"]
    assert parts["pictures"].count("all gateways <strong>") == 2


def test_where_there_is_no_other_gateway_to_ask_nothing_is_said_of_all():
    parts = board_of(Source())[0].parts()
    assert not parts["gateways"].strip()
    assert "all gateways" not in parts["pictures"]
