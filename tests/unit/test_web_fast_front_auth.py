"""The fast way in asks for tokens as the plain one does."""

from pathlib import Path

import pytest

from tidegate_web.server.auth import Tokens
from tidegate_web.server.fast_front import FastFronts
from tidegate_web.server.request_head import RequestHead, read_head


def head(*lines: str) -> RequestHead:
    text = "\r\n".join(("POST /v1/models/and_gate:predict HTTP/1.1", "Host: x", "Content-Length: 2", *lines))
    read = read_head(text.encode())
    assert read is not None
    return read


def test_a_request_with_two_tokens_is_left_to_the_plain_way():
    line = "POST /v1/models/and_gate:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2"
    assert read_head(f"{line}\r\nAuthorization: Bearer a\r\nauthorization: Bearer b".encode()) is None


@pytest.mark.parametrize(
    ("lines", "admitted"),
    [((), False), (("Authorization: Bearer wrong",), False), (("AUTHORIZATION: Bearer right",), True)],
)
async def test_only_requests_with_a_token_stay_on_the_fast_way(tmp_path: Path, lines, admitted):
    file = tmp_path / "tokens"
    file.write_text("right\n")
    parts = dict.fromkeys(("predictor", "exchanges", "ages", "client_id_header", "keepalive_s", "plain"))
    asking = FastFronts(**parts, tokens=Tokens(file))  # type: ignore[arg-type]  # no other part is used
    assert asking.admits(head(*lines)) == admitted
    assert FastFronts(**parts, tokens=None).admits(head(*lines))  # type: ignore[arg-type]  # the same
