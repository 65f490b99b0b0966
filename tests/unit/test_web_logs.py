"""Log lines: bounded when they complain, sampled when they do not, and linked to traces that are sampled."""

import io
import logging
import re

import pytest

from tidegate_web.logs import BoundedHandler
from tidegate_web.server.access_log import exemplar

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
PREDICT = "/v1/models/and_gate:predict"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lines(clock):
    """A logger whose second may have three complaints, and what it wrote."""
    stream = io.StringIO()
    handler = BoundedHandler(stream, complaints_per_s=3, clock=clock)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger = logging.getLogger("trial-of-bounds")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, lambda: stream.getvalue().splitlines()
    logger.removeHandler(handler)


def test_a_flood_of_failures_is_cut_and_counted(lines, clock):
    logger, written = lines
    for _ in range(100):
        logger.warning("failed")
    assert written() == ["WARNING failed"] * 3
    clock.now += 1
    logger.error("failed again")
    assert written()[3:] == ["WARNING lines suppressed", "ERROR failed again"]


def test_the_count_says_how_many_were_left_out(lines, clock):
    logger, _ = lines
    records: list[logging.LogRecord] = []
    logger.handlers[0].setFormatter(logging.Formatter("%(message)s"))
    logger.handlers[0].format = lambda record: records.append(record) or ""  # type: ignore[func-returns-value]
    for _ in range(10):
        logger.warning("failed")
    clock.now += 1
    logger.info("calm")
    assert [getattr(record, "suppressed", None) for record in records] == [None, None, None, 7, None]


def test_what_does_not_complain_is_never_cut(lines):
    logger, written = lines
    for _ in range(10):
        logger.info("fine")
    assert len(written()) == 10


def test_each_second_has_its_own_budget(lines, clock):
    logger, written = lines
    for _ in range(3):
        for _ in range(3):
            logger.warning("failed")
        clock.now += 1
    assert written() == ["WARNING failed"] * 9


async def test_a_sampled_request_is_told_with_what_took_how_long_and_how_large_it_was(start_gateway, caplog):
    caplog.set_level(logging.INFO)
    gateway = await start_gateway(access_log_share=1.0)
    body = b'{"instances": [[1, 1]]}'
    answer = await gateway.client.post(PREDICT, data=body, headers={"Authorization": "Bearer hidden"})
    (record,) = [record for record in caplog.records if record.message == "request"]
    told = vars(record)
    assert (told["model"], told["version"], told["backend"]) == ("and_gate", 7, "10.0.0.9:8500")
    assert (told["bytes_in"], told["bytes_out"]) == (len(body), len(await answer.read()))
    assert told["grpc_ms"] == 2
    assert told["queue_ms"] >= 0
    assert told["route"] == "/v1/models/{model}:predict"
    assert "hidden" not in str(told)


async def test_without_a_share_answers_have_no_line(start_gateway, caplog):
    caplog.set_level(logging.INFO)
    gateway = await start_gateway()
    await gateway.client.post(PREDICT, data=b'{"instances": [[1, 1]]}')
    await gateway.client.get("/nowhere")
    assert not [record for record in caplog.records if record.message == "request"]


@pytest.mark.parametrize(
    ("traceparent", "found"),
    [
        (f"00-{TRACE}-{PARENT}-01", {"trace_id": TRACE}),
        (f"00-{TRACE}-{PARENT}-03", {"trace_id": TRACE}),
        (f"00-{TRACE}-{PARENT}-00", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{PARENT}-01", None),
        (f'00-{TRACE}"}} 1-{PARENT}-01', None),
        ("", None),
    ],
)
def test_only_a_sampled_trace_makes_an_exemplar(traceparent, found):
    assert exemplar(traceparent) == found


async def test_a_trace_is_linked_from_the_histogram_in_openmetrics_alone(start_gateway):
    gateway = await start_gateway()
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    await gateway.client.post(PREDICT, data=b'{"instances": [[1, 1]]}', headers=headers)
    openmetrics = gateway.metrics.render("application/openmetrics-text")[0].decode()
    assert re.search(rf'request_duration_seconds_bucket{{.*}} 1.0 # {{trace_id="{TRACE}"}}', openmetrics)
    assert TRACE not in gateway.metrics.render("text/plain")[0].decode()


async def test_labels_stay_few_whatever_clients_send(start_gateway):
    gateway = await start_gateway()
    for turn, verb in enumerate(("PROPFIND", "MKCOL", "LOCK", "PURGE") * 5):
        await gateway.client.request(verb, f"/made/up/{turn}", headers={"traceparent": f"junk-{turn}"})
        await gateway.client.get(f"/v1/models/unknown-{turn}/versions/{turn}")
    series = gateway.metrics.render("")[0].decode()
    labelled = set(re.findall(r"^tidegate_requests_total({.*})", series, re.MULTILINE))
    assert labelled == {
        '{method="GET",route="/v1/models/{model}/versions/{version}",status="404"}',
        '{method="other",route="unmatched",status="404"}',
    }
