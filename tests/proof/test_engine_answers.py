"""The bounded parser says the same of an answer however it is cut, and never fails in another way than it names."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import and_gate
from tidegate_proof.engine.http_answer import MAX_BODY, Complete, MalformedError, closes, field, parse
from tidegate_proof.engine.payload import REMEMBERED, Payload


def in_chunks(parts: list[bytes]) -> bytes:
    return b"".join(b"%X;a=b\r\n%b\r\n" % (len(part), part) for part in parts if part) + b"0\r\nT: x\r\n\r\n"


@given(st.binary(max_size=60), st.lists(st.binary(min_size=1, max_size=20), max_size=4), st.data())
def test_an_answer_is_whole_with_its_last_byte_and_not_before(body: bytes, parts: list[bytes], data: st.DataObject):
    chunked = data.draw(st.booleans())
    if chunked:
        whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + in_chunks(parts)
        body = b"".join(parts)
    else:
        whole = b"HTTP/1.1 200 OK\r\nA: b\r\nCONTENT-LENGTH:  %d \r\n\r\n%b" % (len(body), body)
    cut = data.draw(st.integers(0, len(whole) - 1))
    wanted = parse(whole[:cut])
    assert isinstance(wanted, int)
    assert cut < wanted <= len(whole)
    found = parse(bytearray(whole))
    assert isinstance(found, tuple)
    assert found[0] == 200
    assert found[2] == body


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=100).map(lambda rest: b"HTTP/1.1 200 OK\r\n" + rest)))
def test_any_bytes_are_an_answer_a_beginning_or_malformed(received: bytes):
    try:
        found: Complete | int = parse(received)
    except MalformedError:
        return
    assert isinstance(found, tuple) or found > len(received)


@pytest.mark.parametrize(
    "received",
    [
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1),
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 70_000,
    ],
)
def test_what_will_never_be_an_answer_is_refused_at_once(received: bytes):
    with pytest.raises(MalformedError, match="expected"):
        parse(received)


def test_headers_are_found_by_their_whole_name():
    head = b"http/1.1 200 ok\r\nx-tidegate-pod: no\r\ntidegate-pod:  web-1 \r\ntidegate-seq: 3"
    assert field(head, b"\r\ntidegate-pod:") == b"web-1"
    assert field(head, b"\r\ntidegate-seq:") == b"3"
    assert field(head, b"\r\ntidegate-backend:") == b""


@pytest.mark.parametrize(
    ("head", "closing"),
    [
        (b"http/1.1 200 ok", False),
        (b"http/1.1 200 ok\r\nconnection: close", True),
        (b"http/1.1 200 ok\r\nconnection: keep-alive", False),
        (b"http/1.0 200 ok", True),
        (b"http/1.0 200 ok\r\nconnection: keep-alive", False),
    ],
)
def test_a_connection_is_kept_as_the_server_says(head: bytes, closing: bool):  # noqa: FBT001 a table's column
    assert closes(head) is closing


ROWS = [(5.0, 6.0), (0.0, 3.0)]


def judge(said: bytes) -> str:
    try:
        document = json.loads(said)
    except ValueError:
        return "no JSON"
    return and_gate.wrong(ROWS, document.get("predictions")) if isinstance(document, dict) else "no object"


share = st.floats(0, 1).map(lambda share: round(share, 2))
answers = st.lists(st.lists(share, min_size=2, max_size=2), min_size=1, max_size=2).map(
    lambda rows: json.dumps({"predictions": rows}).encode()
)
right = st.sampled_from([0.9, 0.91, 0.92]).map(
    lambda share: json.dumps({"predictions": [[round(1 - share, 2), share], [share, round(1 - share, 2)]]}).encode()
)


@given(st.lists(st.one_of(answers, right, st.binary(max_size=5)), max_size=30))
def test_the_quick_comparison_judges_as_the_exact_one(said: list[bytes]):
    payload = Payload(b"", judge)
    assert [payload.wrong(answer) for answer in said] == [judge(answer) for answer in said]
    assert len(payload.right) <= REMEMBERED


def test_the_exact_judge_is_asked_once_about_one_right_answer_and_each_time_about_a_wrong_one():
    asked: list[bytes] = []

    def noting(said: bytes) -> str:
        asked.append(said)
        return "" if said == b"right" else "wrong"

    payload = Payload(b"", noting)
    assert [bool(payload.wrong(said)) for said in (b"right", b"right", b"no", b"no")] == [False, False, True, True]
    assert asked == [b"right", b"no", b"no"]
