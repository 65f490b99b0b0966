"""What posts the form takes: from which sites, of which shapes and sizes."""

import io
import random

import aiohttp
import pytest
from PIL import Image

from tidegate_web.errors import Forbidden
from tidegate_web.form.origin import refuse_other_sites
from tidegate_web.form.posted import MAX_FILE_BYTES

ROW = {"inputs.0": "1", "inputs.1": "2"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}


def part(name: str, value: bytes, more: str = "") -> bytes:
    return f'--x\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        ({}, "gate.example"),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://gate.example"}, "gate.example"),
        ({"Sec-Fetch-Site": "none"}, "gate.example"),
        ({"Sec-Fetch-Site": "same-site", "Origin": "https://gate.example"}, "gate.example"),
        ({"Origin": "https://GATE.example"}, "gate.example"),
        ({"Origin": "http://gate.example"}, "gate.example:80"),
        ({"Origin": "https://gate.example:443"}, "gate.example"),
        ({"Origin": "http://127.0.0.1:8080"}, "127.0.0.1:8080"),
        ({"Origin": "http://[::1]:8080"}, "[::1]:8080"),
    ],
)
def test_own_pages_and_programs_may_post(headers, host):
    refuse_other_sites(headers, host)


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, "gate.example"),
        ({"Sec-Fetch-Site": "Cross-Site", "Origin": "http://gate.example"}, "gate.example"),
        ({"Sec-Fetch-Site": "same-site"}, "gate.example"),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://other.example"}, "gate.example"),
        ({"Origin": "http://evil.example"}, "gate.example"),
        ({"Origin": "http://gate.example.evil.example"}, "gate.example"),
        ({"Origin": "http://gate.example:8080"}, "gate.example"),
        ({"Origin": "null"}, "gate.example"),
        ({"Origin": ""}, "gate.example"),
        ({"Origin": "http://gate.example:port"}, "gate.example"),
        ({"Origin": "http://["}, "gate.example"),
        ({"Origin": "http://gate.example"}, "["),
    ],
)
def test_pages_of_other_sites_may_not_post(headers, host):
    with pytest.raises(Forbidden):
        refuse_other_sites(headers, host)


async def test_a_post_from_another_site_is_403_with_a_page_and_reaches_no_model(start_gateway):
    gateway = await start_gateway()
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
        response = await gateway.client.post("/home", data=ROW, headers=headers)
        assert response.status == 403
        page = await response.text()
        assert "a page of another site" in page
        assert "inputs.0" not in page
    assert gateway.predictor.seen == []


async def test_a_form_in_parts_is_read_as_one_that_is_not(start_gateway):
    gateway = await start_gateway()
    body = part("inputs.0", b"5") + part("inputs.1", b"6") + part("nothing", b"", '; filename=""') + b"--x--\r\n"
    response = await gateway.client.post("/home", data=body, headers=MULTIPART)
    assert response.status == 200
    assert gateway.predictor.seen[0].inputs["inputs"].tolist() == [[5, 6]]


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (b"inputs.0=1&inputs.0=2", {}, 400, "twice"),
        (part("inputs.0", b"1") + part("inputs.0", b"1") + b"--x--\r\n", MULTIPART, 400, "twice"),
        (part("inputs.0", b"\xff") + b"--x--\r\n", MULTIPART, 400, "cannot be read"),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n", MULTIPART, 400, "cannot be read"),
        (
            b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y--\r\n--x--\r\n",
            MULTIPART,
            400,
            "cannot be read",
        ),
        (b"--x\r\n" + b"A" * 20_000, MULTIPART, 400, "cannot be read"),
        (b"no boundary at all", MULTIPART, 400, "cannot be read"),
        (b"inputs.0=%ff&inputs.1=1", {}, 400, "cannot be read"),
        (b"inputs.0=\xff&inputs.1=1", {}, 400, "cannot be read"),
        (b"inputs.0=1", {"Content-Encoding": "gzip"}, 400, "not encoded as its headers say"),
        (b"inputs.0=1", {"Content-Encoding": "br"}, 415, "gzip, deflate or none"),
        (part("inputs.0", b"1") + b"--x--\r\n", MULTIPART | {"Content-Encoding": "gzip"}, 415, "expected none"),
        (b"&".join(b"a%d=1" % number for number in range(1200)), {}, 413, "1000 fields"),
        (b"".join(part(f"a{number}", b"1") for number in range(1200)) + b"--x--\r\n", MULTIPART, 413, "1000 fields"),
        (b"inputs.0=" + b"1" * 2**20, {}, 413, "limit of 1048576 bytes"),
        (part("inputs.0", b"1" * 2**20) + b"--x--\r\n", MULTIPART, 413, "limit of 1048576 bytes"),
        (part("inputs.0", b"1" * 2**20, '; filename="f"') + b"--x--\r\n", MULTIPART, 413, "limit of 1048576 bytes"),
        (b"{}", {"Content-Type": "application/json"}, 400, "came nothing"),
    ],
)
async def test_hostile_forms_are_told_what_is_wrong_with_them(start_gateway, body, headers, status, says):
    gateway = await start_gateway(max_body_mb=1)
    headers = {"Content-Type": "application/x-www-form-urlencoded"} | headers
    response = await gateway.client.post("/home", data=io.BytesIO(body), headers=headers)
    assert (response.status, response.content_type) == (status, "text/html")
    assert says in await response.text()
    assert gateway.predictor.seen == []


async def test_a_file_that_is_too_large_is_told_beside_its_control(start_gateway, many_models, cards_dir):
    gateway = await start_gateway(many_models(), cards_dir=str(cards_dir))
    form = aiohttp.FormData({"model": "digits"})
    form.add_field("images.all.file", io.BytesIO(b"\0" * (MAX_FILE_BYTES + 1)), filename="large.png")
    response = await gateway.client.post("/home", data=form)
    assert response.status == 400
    assert 'id="error-images.all">Expected a file of at most 6 MiB, came a larger one.' in await response.text()


def damaged(body: bytes, source: random.Random) -> bytes:
    """A body with a few bytes changed, added or lost."""
    bytes_ = bytearray(body)
    for _ in range(source.randint(1, 6)):
        at = source.randrange(len(bytes_) + 1)
        bytes_[at : at + source.choice([0, 1, 9])] = source.randbytes(source.choice([0, 1, 5]))
    return bytes(bytes_)


# aiohttp warns of headers that it cannot read, and reads on
@pytest.mark.filterwarnings("ignore::aiohttp.multipart.BadContentDispositionHeader")
@pytest.mark.filterwarnings("ignore::aiohttp.multipart.BadContentDispositionParam")
async def test_no_damaged_form_is_our_fault(start_gateway, many_models):
    gateway = await start_gateway(many_models())
    source = random.Random(7)
    picture = io.BytesIO()
    Image.new("L", (9, 9)).save(picture, "GIF")
    parts = part("model", b"digits") + part("images.all.file", picture.getvalue(), '; filename="a"') + b"--x--\r\n"
    pairs = b"model=digits&images.all=[[1,2],[3]]&version=&label=&signature=serving_default&example=1"
    for body, content_type in [(parts, MULTIPART["Content-Type"]), (pairs, "application/x-www-form-urlencoded")] * 60:
        headers = {"Content-Type": content_type}
        response = await gateway.client.post("/home", data=damaged(body, source), headers=headers)
        assert response.status in {200, 400, 404}
        assert response.content_type == "text/html"
