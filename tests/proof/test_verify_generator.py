"""What the generator writes is never called a forgery, whatever a server does to it."""

from dataclasses import replace

from tests.proof import failing_server as server
from tests.proof import records
from tests.proof.failing_server import Asked, failing
from tidegate_proof.engine.columns import Columns
from tidegate_proof.engine.generator import Generator, Limits
from tidegate_proof.engine.payload import Payload
from tidegate_proof.engine.target import Target
from tidegate_proof.record.folder import Record
from tidegate_proof.record.plan import Shape
from tidegate_proof.record.requests import Requests
from tidegate_proof.verdict.consistency import contradictions
from tidegate_proof.verdict.intended import counts_of, intended_of, rates_of

WAYS = (
    server.well,
    server.then_closes,
    server.in_chunks,
    server.closes,
    server.resets,
    server.stops_half_way,
    server.stalls,
    server.stalls_half_way,
    server.speaks_no_http,
    server.never_ends_its_head,
    server.says_too_much,
    server.is_wrong,
    server.answers_another,
    server.breaks,
    server.is_overloaded,
    server.closes_when_asked_again,
)


async def in_every_way(asked: Asked) -> None:
    await WAYS[int(asked.id.rpartition(b"-")[2]) % len(WAYS)](asked)


async def test_an_honest_record_of_a_failing_server_holds_no_contradiction():
    step = records.plan(warm_up_s=1)
    plan = replace(
        step,
        shape=Shape(name="constant", base=4 * len(WAYS), peak=4 * len(WAYS), duration_s=1),
        phases=(step.phases[0], replace(step.phases[1], end_s=2)),
        timeout_s=0.5,
    )
    counts = counts_of(plan, rates_of(plan))
    intended = intended_of(plan, counts)
    columns = Columns(intended, "test")
    async with failing(in_every_way) as serving:
        payload = Payload(b'{"instances": [[5.0, 6.0]]}', lambda answer: "" if answer == server.RIGHT else "wrong")
        limits = Limits(connections=64, spare=2, timeout_s=plan.timeout_s)
        generator = Generator(Target.of(serving.url), [payload], columns, limits)
        await generator.run()
    record = Record(
        plan=plan,
        arrivals=tuple(counts),
        requests=Requests.of(columns.rows(0, len(columns))),
        cluster=(),
        gateway=(),
        generator=tuple(generator.looks),
    )
    errors = {row.error for row in record.requests.rows()}
    assert errors >= {"", "lost", "timeout", "refused", "wrong"}
    assert list(contradictions(record, counts, intended)) == []
