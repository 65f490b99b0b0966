"""Bearer tokens: off by default; with a file, nothing without one but the style sheets."""

import asyncio
import os
from base64 import b64encode
from pathlib import Path

import pytest

from tidegate_web.server import auth
from tidegate_web.server.auth import Tokens
from tidegate_web.settings import SettingsError

PREDICT = "/v1/models/and_gate:predict"
BODY = b'{"instances": [[1, 1]]}'
SECRET = "s3cret-öne"  # noqa: S105 a test's own


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(user: str, token: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{user}:{token}'.encode()).decode()}"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(f"# who: a test\n\n  {SECRET}  \nother\n")
    return path


@pytest.fixture
def gateway(start_gateway, file):
    return start_gateway(tokens=Tokens(file))


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        (bearer(SECRET), True),
        ({"Authorization": f"bearer   {SECRET}"}, True),
        (bearer("other"), True),
        (basic("anybody", SECRET), True),
        (basic("", "other"), True),
        ({}, False),
        (bearer(""), False),
        (bearer("# who: a test"), False),
        (bearer("s3cret"), False),
        (basic(SECRET, ""), False),
        ({"Authorization": "Basic ***"}, False),
        ({"Authorization": "Basic /w=="}, False),
        ({"Authorization": f"Digest {SECRET}"}, False),
        ({"Authorization": SECRET}, False),
    ],
)
async def test_who_has_a_token_is_answered_and_nobody_else(gateway, headers, accepted):
    client = (await gateway).client
    answer = await client.post(PREDICT, data=BODY, headers=headers)
    assert answer.status == (200 if accepted else 401)


async def test_a_program_is_told_what_is_missing_in_json(gateway):
    client = (await gateway).client
    answer = await client.post(PREDICT, data=BODY)
    document = await answer.json()
    assert document["details"]["code"] == "unauthenticated"
    assert "expected the header `Authorization: Bearer TOKEN`" in document["error"]
    assert answer.headers.getall("WWW-Authenticate") == ['Bearer realm="Tidegate"']


@pytest.mark.parametrize("path", ["/", "/home", "/v1/models/and_gate", "/nowhere"])
async def test_a_browser_is_asked_for_the_token_and_shown_a_page(gateway, path):
    client = (await gateway).client
    answer = await client.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status, answer.content_type) == (401, "text/html")
    assert [challenge.split()[0] for challenge in answer.headers.getall("WWW-Authenticate")] == ["Basic", "Bearer"]
    assert "A token is needed" in await answer.text()


async def test_the_form_works_with_the_password_that_a_browser_sends(gateway):
    client = (await gateway).client
    accept = {"Accept": "text/html", **basic("me", SECRET)}
    answer = await client.post("/home", data={"inputs.0": "1", "inputs.1": "1"}, headers=accept)
    assert answer.status == 200
    assert 'id="result"' in await answer.text()


async def test_nothing_is_predicted_without_a_token_and_no_metric_or_log_holds_one(gateway, caplog):
    running = await gateway
    for token in (SECRET, "wrong-token"):
        await running.client.post(PREDICT, data=BODY, headers=bearer(token))
    assert len(running.predictor.seen) == 1
    told = running.metrics.render("")[0].decode() + caplog.text
    assert SECRET not in told
    assert "wrong-token" not in told


async def test_style_sheets_are_open_and_without_a_file_everything_is(gateway, start_gateway):
    assert (await (await gateway).client.get("/assets/tidegate.css")).status == 200
    assert (await (await start_gateway()).client.post(PREDICT, data=BODY)).status == 200


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file or directory"),
        ("# none\n\n", "expected one token a line, came none"),
        ("x" * (2**16 + 1), "expected at most 65536 characters"),
        (b"\xff\xfe", "can't decode"),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_start(tmp_path, text, said):
    path = tmp_path / "tokens"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError, match=f"TIDEGATE_TOKENS_FILE: .*{said}"):
        Tokens(path)


async def test_tokens_are_rotated_as_kubernetes_does_and_a_broken_file_changes_nothing(tmp_path, monkeypatch, caplog):
    """A mounted Secret is a link to a folder that is swapped as a whole."""
    monkeypatch.setattr(auth, "LOOK_S", 0.005)
    for name, text in (("v1", "old"), ("v2", "new"), ("v3", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tokens").write_text(text)
    link = tmp_path / "data"
    link.symlink_to("v1")

    def swap(to: str) -> None:
        (tmp_path / "next").symlink_to(to)
        os.replace(tmp_path / "next", link)  # noqa: PTH105 the link itself, not what it names

    tokens = Tokens(link / "tokens")
    task = asyncio.create_task(tokens.follow())
    async with asyncio.timeout(10):
        assert tokens.accept("Bearer old")
        swap("v2")
        while tokens.accept("Bearer old"):
            await asyncio.sleep(0.005)
        assert tokens.accept("Bearer new")
        swap("v3")
        while "the last good ones stand" not in caplog.text:
            await asyncio.sleep(0.005)
        assert tokens.accept("Bearer new")
    task.cancel()
