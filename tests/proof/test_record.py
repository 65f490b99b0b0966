import gzip
import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proof import records
from tidegate_proof.record.arrivals import read_arrivals, write_arrivals
from tidegate_proof.record.cluster import ClusterEvent
from tidegate_proof.record.documents import parse, read_document, text_of, write_document
from tidegate_proof.record.errors import RecordError
from tidegate_proof.record.folder import CLUSTER, PLAN, REQUESTS, read_record, write_record
from tidegate_proof.record.lines import LineWriter, read_lines
from tidegate_proof.record.manifest import MANIFEST, Manifest, seal
from tidegate_proof.record.plan import Plan, Threshold
from tidegate_proof.record.requests import ERRORS, HEADER, Requests, RequestWriter, Row, read_requests, write_requests
from tidegate_proof.record.telemetry import GatewayLook

NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), max_size=12)
TIMES = st.integers(0, 10**18 - 1)
ROWS = st.lists(
    st.builds(
        Row,
        id=TIMES,
        intended_ns=TIMES,
        sent_ns=st.none() | TIMES,
        answered_ns=st.none() | TIMES,
        status=st.none() | st.integers(100, 599),
        pod=NAMES,
        backend=NAMES,
        seq=st.none() | TIMES,
        idle_closes=st.integers(0, 9),
        error=st.sampled_from(ERRORS),
    ),
    max_size=30,
)
LOOKS = st.builds(
    GatewayLook,
    t_ns=st.integers(-(2**62), 2**62),
    pod=st.text(max_size=9),
    pod_ip=st.text(max_size=9),
    answered=TIMES,
    cpu_s=st.none() | st.floats(allow_nan=False, allow_infinity=False),
)


@pytest.fixture(scope="module")
def run():
    return records.record(records.plan(warm_up_s=2, duration_s=20))


def test_a_record_is_read_as_it_was_written(tmp_path: Path, run):
    write_record(tmp_path / "run", run)
    read = read_record(tmp_path / "run")
    assert list(read.requests.rows()) == list(run.requests.rows())
    assert replace(read, requests=run.requests) == run


@settings(max_examples=40)
@given(ROWS)
def test_requests_are_read_as_they_were_written(rows):
    with TemporaryDirectory() as folder:
        path = Path(folder) / REQUESTS
        write_requests(path, Requests.of(rows))
        read = read_requests(path)
    assert list(read.rows()) == rows
    assert read.cut is None


@settings(max_examples=40)
@given(st.lists(LOOKS, max_size=5))
def test_lines_are_read_as_they_were_written(looks):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "gateway.jsonl"
        with closing(LineWriter[GatewayLook](path)) as lines:
            for look in looks:
                lines.write(look)
        assert read_lines(path, GatewayLook).items == tuple(looks)


@given(st.lists(st.integers(0, 10**9), max_size=50))
def test_arrivals_are_read_as_they_were_written(counts):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "arrivals.csv.gz"
        write_arrivals(path, counts)
        assert read_arrivals(path) == tuple(counts)


def test_the_same_rows_give_the_same_bytes(tmp_path: Path, run):
    write_record(tmp_path / "one", run)
    write_record(tmp_path / "other", run)
    assert seal(tmp_path / "one") == seal(tmp_path / "other")


def _flushed_requests(path: Path) -> list[Row]:
    rows = [Row(n, n * 10**6, n * 10**6 + 7, n * 10**6 + 99, 200, "pod", "10.0.0.1:8500", n + 1) for n in range(200)]
    writer = RequestWriter(path)
    for start in range(0, 200, 20):
        writer.write(rows[start : start + 20])
        writer.flush()
    writer.close()
    return rows


def test_requests_cut_off_at_any_byte_are_read_up_to_there(tmp_path: Path):
    rows = _flushed_requests(tmp_path / REQUESTS)
    whole = (tmp_path / REQUESTS).read_bytes()
    for end in range(0, len(whole), 3):
        (tmp_path / REQUESTS).write_bytes(whole[:end])
        read = read_requests(tmp_path / REQUESTS)
        assert list(read.rows()) == rows[: len(read)]
        assert read.cut == f"requests.csv.gz ends after line {len(read) + 1}"


def test_flushed_requests_can_be_read_while_the_run_goes_on(tmp_path: Path):
    writer = RequestWriter(tmp_path / REQUESTS)
    writer.write([Row(0, 5, 6, 7, 200, "pod", "backend", 1)])
    writer.flush()
    assert list(read_requests(tmp_path / REQUESTS).rows()) == [Row(0, 5, 6, 7, 200, "pod", "backend", 1)]
    writer.close()


def test_a_changed_byte_of_the_requests_is_refused_or_changes_nothing(tmp_path: Path):
    rows = _flushed_requests(tmp_path / REQUESTS)
    whole = (tmp_path / REQUESTS).read_bytes()
    refused = 0
    for place in range(0, len(whole), 3):
        (tmp_path / REQUESTS).write_bytes(whole[:place] + bytes([whole[place] ^ 0x20]) + whole[place + 1 :])
        try:
            read = read_requests(tmp_path / REQUESTS)
        except RecordError:
            refused += 1
            continue
        assert read.cut is not None or list(read.rows()) == rows
    assert refused > 0.9 * len(whole) / 3


def test_lines_cut_off_at_any_byte_are_read_up_to_there(tmp_path: Path, run):
    write_record(tmp_path / "run", run)
    path = tmp_path / "run" / CLUSTER
    whole = path.read_bytes()
    for end in range(0, len(whole), 37):
        path.write_bytes(whole[:end])
        read = read_lines(path, ClusterEvent)
        assert read.items == run.cluster[: len(read.items)]
        assert (read.cut is None) == (whole[:end].endswith(b"\n") or not end)


def test_a_record_that_was_cut_off_is_partial_and_says_where(tmp_path: Path, run):
    write_record(tmp_path / "run", run)
    path = tmp_path / "run" / CLUSTER
    path.write_bytes(path.read_bytes()[:-5])
    assert read_record(tmp_path / "run").partial == f"cluster.jsonl ends within line {len(run.cluster)}"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("0,1,2,3,200,pod,backend,1,0", "expected 10 fields, came 9"),
        ("0,1,2,3,200,pod,backend,1,0,,", "expected 10 fields, came 11"),
        ("0,1.5,2,3,200,pod,backend,1,0,", "expected whole numbers as intended_ns, came '0,1.5"),
        ("0,1234567890123456789,2,3,200,pod,backend,1,0,", "expected numbers of 18 digits at most as intended_ns"),
        ("0,,2,3,200,pod,backend,1,0,", "expected whole numbers as intended_ns"),
        ("0,1,2,3,200,pod,backend,1,0,odd", "expected an error among undispatched, connect, lost"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, line, says):
    good = "7,1,2,3,200,pod,backend,1,0,"
    (tmp_path / REQUESTS).write_bytes(gzip.compress(f"{HEADER}\n{good}\n{line}\n{good}\n".encode()))
    with pytest.raises(RecordError, match=r"^requests.csv.gz, line 3: expected ") as caught:
        read_requests(tmp_path / REQUESTS)
    assert says in str(caught.value)
    assert caught.value.line == 3


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"id,intended_ns\n", "expected gzipped ASCII"),
        (gzip.compress(b"id,intended_ns\n"), "line 1: expected 'id,intended_ns,sent_ns"),
        (gzip.compress(f"{HEADER}\n".encode()) + b"more", "4 bytes behind the end"),
        (gzip.compress(f"{HEADER}\n0,1".encode()), "line 2: the last line has no end"),
        (gzip.compress(f"{HEADER}\n\xe9\n".encode()), "expected gzipped ASCII"),
        (gzip.compress(b""), "line 1: expected 'id,"),
    ],
    # gzip notes the time, so the bytes would be other ones in each of the processes that collect the tests
    ids=["plain text", "another header", "bytes behind the end", "half a line", "not ASCII", "empty"],
)
def test_what_is_no_table_of_requests_is_refused(tmp_path: Path, content, says):
    (tmp_path / REQUESTS).write_bytes(content)
    with pytest.raises(RecordError) as caught:
        read_requests(tmp_path / REQUESTS)
    assert says in str(caught.value)


@pytest.mark.parametrize("text", ["0,1\n2,1\n", "0,1\n1,x\n", "0,1\n1,-1\n", "0,1\n1,01\n", "0,1\n1\n"])
def test_arrivals_have_every_second_and_whole_numbers(tmp_path: Path, text):
    path = tmp_path / "arrivals.csv.gz"
    path.write_bytes(gzip.compress(f"offset_s,requests\n{text}".encode()))
    with pytest.raises(RecordError, match=r"^arrivals.csv.gz, line 3: expected 1,REQUESTS, came"):
        read_arrivals(path)


@pytest.mark.parametrize("name", ["a,b", "a\nb", "é", 'a"\r'])
def test_a_name_that_would_break_the_file_is_not_written(tmp_path: Path, name):
    writer = RequestWriter(tmp_path / REQUESTS)
    with pytest.raises(ValueError, match="plain ASCII names"):
        writer.write([Row(0, 1, pod=name)])
    writer.close()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seed": "7"}, "plan.json: seed: Input should be a valid integer, came '7'"),
        ({"seed": 7.0}, "plan.json: seed: Input should be a valid integer"),
        ({"seed": True}, "plan.json: seed: Input should be a valid integer"),
        ({"format": 2}, "plan.json: format: Input should be 1, came 2"),
        ({"tier": "database"}, "plan.json: tier: Input should be 'web' or 'serving', came 'database'"),
        ({"unheard": 1}, "plan.json: unheard: Unexpected keyword argument"),
        ({"slo": {"latency_ms": float("inf")}}, "plan.json: slo.latency_ms: Input should be a finite number"),
    ],
)
def test_a_document_with_other_fields_or_types_is_refused(tmp_path: Path, change, says):
    document = json.loads(text_of(records.plan())) | change
    (tmp_path / PLAN).write_text(json.dumps(document))
    with pytest.raises(RecordError) as caught:
        read_document(tmp_path / PLAN, Plan)
    assert says in str(caught.value)


def test_a_missing_field_is_named(tmp_path: Path):
    document = json.loads(text_of(records.plan()))
    del document["slo"]["latency_ms"]
    (tmp_path / PLAN).write_text(json.dumps(document))
    with pytest.raises(RecordError, match=r"plan.json: slo.latency_ms: Field required"):
        read_document(tmp_path / PLAN, Plan)


def test_a_line_that_is_no_json_is_named(tmp_path: Path):
    path = tmp_path / "gateway.jsonl"
    path.write_bytes(text_of(GatewayLook(t_ns=0, pod="a", pod_ip="b", answered=1)) + b"\n{]\n")
    with pytest.raises(RecordError, match=r"^gateway.jsonl, line 2: the document: Invalid JSON"):
        read_lines(path, GatewayLook)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(RecordError, match=r"^requests.csv.gz: expected in .*, is not there"):
        read_record(tmp_path)


def test_a_document_replaces_the_old_one_in_one_step(tmp_path: Path):
    write_document(tmp_path / PLAN, records.plan())
    write_document(tmp_path / PLAN, records.plan(base=9))
    assert [path.name for path in tmp_path.iterdir()] == [PLAN]
    assert read_document(tmp_path / PLAN, Plan) == records.plan(base=9)


def test_a_document_that_no_reader_would_take_is_not_written(tmp_path: Path):
    endless = replace(records.plan(), timeout_s=float("inf"))
    with pytest.raises(RecordError, match=r"plan.json: timeout_s: "):
        write_document(tmp_path / PLAN, endless)
    assert list(tmp_path.iterdir()) == []


def test_a_plan_knows_the_hash_of_its_file(tmp_path: Path):
    write_document(tmp_path / PLAN, records.plan())
    assert seal(tmp_path).files == {PLAN: records.plan().sha256()}
    assert read_document(tmp_path / MANIFEST, Manifest).files == {PLAN: records.plan().sha256()}


def test_no_writer_overwrites_a_record(tmp_path: Path, run):
    write_record(tmp_path / "run", run)
    with pytest.raises(FileExistsError):
        write_record(tmp_path / "run", run)
    with pytest.raises(FileExistsError):
        RequestWriter(tmp_path / "run" / REQUESTS)
    with pytest.raises(FileExistsError):
        LineWriter[ClusterEvent](tmp_path / "run" / CLUSTER)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_come_back_as_they_were(number):
    threshold = Threshold(name="a", metric="b", op="<=", limit=number, why="c")
    assert parse(text_of(threshold), Threshold, Path("plan.json")) == threshold
