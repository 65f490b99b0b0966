"""Every arrival ends under the right word, arrivals are never slowed, and what is written is true at every moment."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

import and_gate
from tests.ports import free_port
from tests.proof import failing_server as server
from tests.proof.failing_server import Behaviour, failing
from tidegate_proof.engine.account import Account
from tidegate_proof.engine.columns import Columns, numbers
from tidegate_proof.engine.generator import NS, Generator, Limits
from tidegate_proof.engine.payload import Payload
from tidegate_proof.engine.target import Target, TargetError
from tidegate_proof.record.plan import GeneratorLimits
from tidegate_proof.record.requests import Requests, Row
from tidegate_proof.record.telemetry import GeneratorLook

MS = 1_000_000
QUICK = Limits(connections=32, spare=2, timeout_s=0.4, late_s=20)
SURE = Limits(connections=32, spare=2, timeout_s=20, late_s=20, idle_close_s=20)
"""For tests in which a slow machine must not be taken for a slow server."""


def payload() -> Payload:
    return Payload(b'{"instances": [[5.0, 6.0]]}', judge)


def judge(answer: bytes) -> str:
    try:
        return and_gate.wrong([(5.0, 6.0)], json.loads(answer)["predictions"])
    except RecursionError:
        return "nested too deep"


def every(count: int, apart_ms: float) -> Columns:
    return Columns([round(number * apart_ms * MS) for number in range(count)], "test")


def rows(columns: Columns) -> list[Row]:
    return list(columns.rows(0, len(columns)))


def ids(found: list[Row]) -> list[bytes]:
    return [b"test-%09d" % row.id for row in found]


async def load(url: str, columns: Columns, limits: Limits) -> Generator:
    generator = Generator(Target.of(url), [payload()], columns, limits)
    await asyncio.wait_for(generator.run(), 30)
    return generator


def look(t_ns: int, cpu_s: float) -> GeneratorLook:
    return GeneratorLook(t_ns=t_ns, cpu_s=cpu_s, inflight=0)


WAYS: list[tuple[Behaviour, Limits, str, int | None]] = [
    (server.well, SURE, "", 200),
    (server.then_closes, SURE, "", 200),
    (server.in_pieces, SURE, "", 200),
    (server.in_chunks, SURE, "", 200),
    (server.after_early_hints, SURE, "", 200),
    (server.closes, SURE, "lost", None),
    (server.nests, SURE, "wrong", 200),
    (server.resets, SURE, "lost", None),
    (server.stops_half_way, SURE, "lost", None),
    (server.stalls, QUICK, "timeout", None),
    (server.stalls_half_way, QUICK, "timeout", None),
    (server.speaks_no_http, SURE, "wrong", None),
    (server.never_ends_its_head, SURE, "wrong", None),
    (server.threatens_a_gigabyte, SURE, "wrong", None),
    (server.says_too_much, SURE, "wrong", None),
    (server.is_wrong, SURE, "wrong", 200),
    (server.answers_another, SURE, "wrong", 200),
    (server.breaks, SURE, "refused", 500),
    (server.is_overloaded, SURE, "refused", 429),
    (server.is_unavailable, SURE, "refused", 503),
]


@pytest.mark.parametrize(("behaviour", "limits", "word", "status"), WAYS, ids=[way[0].__name__ for way in WAYS])
async def test_every_way_to_fail_is_counted_under_its_word(
    behaviour: Behaviour, limits: Limits, word: str, status: int | None
):
    columns = every(6, 10)
    async with failing(behaviour) as asked:
        await load(asked.url, columns, limits)
    assert [(row.error, row.status) for row in rows(columns)] == [(word, status)] * 6
    assert all((row.answered_ns is None) == (status is None) for row in rows(columns))
    assert ids(rows(columns)) == asked.asked, "each was sent once, under its own id"
    assert all(row.idle_closes == 0 for row in rows(columns))


async def test_an_answer_tells_its_pod_its_backend_and_its_number():
    columns = every(2, 1)
    async with failing(server.well) as asked:
        await load(asked.url, columns, SURE)
    assert {(row.pod, row.backend, row.seq) for row in rows(columns)} == {("web-1", "10.0.0.9:8500", 7)}


async def test_times_are_in_order_and_count_from_the_start():
    columns = every(20, 5)
    async with failing(server.well) as asked:
        start_ns = time.monotonic_ns() + 50 * MS
        generator = Generator(Target.of(asked.url), [payload()], columns, SURE)
        await generator.run(start_ns)
        end_ns = time.monotonic_ns() - start_ns
    for row in rows(columns):
        assert row.sent_ns is not None
        assert row.answered_ns is not None
        assert row.intended_ns <= row.sent_ns < row.answered_ns < end_ns


async def test_nobody_listening_is_no_connection():
    columns = every(5, 5)
    await load(f"http://127.0.0.1:{free_port()}/", columns, SURE)
    assert Counter(row.error for row in rows(columns)) == {"connect": 5}
    assert all(row.sent_ns is not None for row in rows(columns)), "when a connection was tried for"


async def test_an_idle_close_is_counted_apart_and_the_request_sent_once_more():
    columns = every(6, 15)
    async with failing(server.closes_when_asked_again) as asked:
        await load(asked.url, columns, replace(SURE, spare=1))
    found = rows(columns)
    assert {row.error for row in found} == {""}
    raced = [row for row in found if row.idle_closes]
    assert raced, "a connection that had answered was closed in a request's face"
    seen = Counter(asked.asked)
    assert all(seen[id_] == 1 + row.idle_closes for id_, row in zip(ids(found), found, strict=True))


async def test_a_late_close_without_an_answer_is_a_loss_and_not_an_idle_close():
    async def dies_at_work(asked: server.Asked) -> None:
        if asked.number_on_connection == 1:
            asked.answer()
        else:
            await asyncio.sleep(0.15)
            asked.writer.close()

    columns = every(4, 20)
    async with failing(dies_at_work) as asked:
        await load(asked.url, columns, replace(SURE, connections=1, spare=1, idle_close_s=0.05))
    found = rows(columns)
    assert found[0].error == ""
    assert found[1].error == "lost"
    assert not any(row.idle_closes for row in found)
    assert len(asked.asked) == len(set(asked.asked))


async def test_arrivals_without_a_connection_are_not_sent_and_nothing_waits_for_them():
    columns = every(40, 5)
    async with failing(server.stalls) as asked:
        generator = await load(asked.url, columns, Limits(connections=3, spare=3, timeout_s=1))
    words = Counter(row.error for row in rows(columns))
    assert words == {"timeout": 3, "undispatched": 37}
    assert "92.5%" in " ".join(Account.of(columns, ()).faults(GeneratorLimits()))
    assert generator.inflight == 0


async def test_a_generator_that_was_held_up_says_so_and_does_not_send_what_is_too_late():
    async def holds_up(asked: server.Asked) -> None:
        if len(seen) == 0:
            time.sleep(0.4)  # noqa: ASYNC251 it is the point: the generator shares this loop
        seen.append(asked.id)
        asked.answer()

    seen: list[bytes] = []
    columns = every(60, 10)
    async with failing(holds_up) as asked:
        generator = await load(asked.url, columns, Limits(connections=64, spare=8, timeout_s=20, late_s=0.2))
    account = Account.of(columns, generator.looks)
    assert account.undispatched_share > 0.05
    assert account.lag_max_ns > 5 * MS
    faults = " ".join(account.faults(GeneratorLimits()))
    assert "lagged" in faults
    assert "not sent" in faults


def test_a_generator_short_of_processor_says_so():
    looks = [look(0, 5.0), look(NS, 5.2), look(2 * NS, 6.1), look(2 * NS + 9, 6.2)]
    account = Account.of(every(10, 1), looks)
    assert account.busy == pytest.approx(0.9)
    assert any("processor" in fault for fault in account.faults(GeneratorLimits()))
    assert not any("processor" in fault for fault in Account.of(every(10, 1), looks[:2]).faults(GeneratorLimits()))


def test_what_happens_during_warm_up_is_not_held_against_a_generator():
    columns = every(10, 1)
    for index in range(10):
        columns.sent_ns[index] = columns.intended_ns[index] + (9 * MS if index < 5 else 0)
    assert Account.of(columns, ()).lag_p99_ns == 9 * MS
    assert Account.of(columns, [look(0, 0), look(5 * MS, 9)], after_ns=5 * MS).lag_p99_ns == 0
    assert Account.of(columns, [look(0, 0), look(5 * MS, 9)], after_ns=5 * MS).busy == 0


async def test_stop_lets_what_is_under_way_end_and_leaves_the_rest_unsent():
    async def stops_after_five(asked: server.Asked) -> None:
        served.append(asked.id)
        if len(served) == 5:
            generator.stop()
        asked.answer()

    served: list[bytes] = []
    columns = every(2000, 10)
    async with failing(stops_after_five) as asked:
        generator = Generator(Target.of(asked.url), [payload()], columns, SURE)
        await asyncio.wait_for(generator.run(), 20)
    words = [row.error for row in rows(columns)]
    assert words == [""] * generator.dispatched + ["undispatched"] * (2000 - generator.dispatched)
    assert 5 <= generator.dispatched == len(served) < 2000


async def test_cancelling_at_any_time_leaves_consistent_rows():
    for after_s in (0.0, 0.03, 0.15):
        columns = every(200, 2)
        async with failing(server.stalls) as asked:
            generator = Generator(Target.of(asked.url), [payload()], columns, SURE)
            running = asyncio.create_task(generator.run())
            await asyncio.sleep(after_s)
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
        found = rows(columns)
        assert {row.error for row in found} <= {"", "undispatched"}
        assert all((row.sent_ns is None) == (row.error == "undispatched") for row in found)
        assert all(row.answered_ns is None and row.status is None for row in found)


async def test_connections_spread_over_every_address_and_pass_over_one_that_refuses(monkeypatch: pytest.MonkeyPatch):
    async with failing(server.well) as one, failing(server.well) as other:
        dead = free_port()

        async def resolve(_: Target) -> list[tuple[str, int]]:
            return [("127.0.0.1", one.port), ("127.0.0.1", dead), ("127.0.0.1", other.port)]

        monkeypatch.setattr(Target, "resolve", resolve)
        columns = every(40, 5)
        await load(one.url, columns, replace(SURE, spare=4))
    assert {row.error for row in rows(columns)} == {""}
    assert min(len(one.asked), len(other.asked)) >= 10


async def test_connections_that_are_closed_on_acceptance_end_every_request_and_hang_none():
    async def slam(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    slamming = await asyncio.start_server(slam, "127.0.0.1", 0)
    columns = every(10, 5)
    async with slamming:
        await load(f"http://127.0.0.1:{slamming.sockets[0].getsockname()[1]}/", columns, SURE)
    assert {row.error for row in rows(columns)} <= {"connect", "lost"}


@pytest.mark.parametrize(
    "url", ["https://a:1/", "127.0.0.1:80", "http://", "http://a:99999/", "http://u:p@a:80/", "ftp://a:1"]
)
def test_an_address_that_the_engine_cannot_load_is_refused_by_what_was_expected(url: str):
    with pytest.raises(TargetError, match="expected http://host:port/path"):
        Target.of(url)


async def test_a_host_without_an_address_is_refused():
    with pytest.raises(TargetError, match=r"nowhere\.invalid"):
        await Target.of("http://nowhere.invalid:80/").resolve()


def test_times_out_of_order_and_ids_that_a_header_would_change_are_refused():
    with pytest.raises(ValueError, match="in order"):
        Columns([2, 1], "test")
    with pytest.raises(ValueError, match="small letters"):
        Columns([1, 2], "Test")


def test_columns_take_no_more_than_they_say_and_are_seen_without_a_copy():
    columns = every(1000, 1)
    held = [getattr(columns, name) for name in ("intended_ns", "sent_ns", "answered_ns", "status", "pod", "backend")]
    held += [columns.seq, columns.idle_closes, columns.error]
    assert sum(len(column) * column.itemsize for column in held) <= 42 * 1000
    columns.sent_ns[3] = 17
    assert numbers(columns.sent_ns)[3] == 17
    assert numbers(columns.sent_ns).dtype == np.int64


async def test_the_record_gets_the_same_rows_one_by_one_and_as_columns():
    columns = every(9, 2)
    async with failing(server.well) as asked:
        await load(asked.url, columns, SURE)
    as_columns = columns.requests()
    assert list(as_columns.rows()) == rows(columns)
    again = Requests.of(rows(columns))
    assert all(
        np.array_equal(getattr(again, name), getattr(as_columns, name)) for name in ("pod", "error", "sent_ns", "pods")
    )


async def test_rows_that_are_settled_change_no_more():
    async def every_third_is_slow(asked: server.Asked) -> None:
        await asyncio.sleep(0.1 if asked.id.endswith((b"3", b"6", b"9")) else 0)
        asked.answer()

    columns = every(40, 5)
    async with failing(every_third_is_slow) as asked:
        generator = Generator(Target.of(asked.url), [payload()], columns, SURE)
        running = asyncio.create_task(generator.run())
        written: list[Row] = []
        while not running.done():
            written += columns.rows(len(written), generator.settled)
            await asyncio.sleep(0.01)
        await running
    assert written == rows(columns)[: len(written)]
    assert generator.settled == 40


async def test_a_schedule_without_arrivals_ends_at_once():
    async with failing(server.well) as asked:
        await load(asked.url, Columns([], "test"), SURE)
