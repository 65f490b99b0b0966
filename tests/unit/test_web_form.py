"""The form's promises, over a Predictor that is arithmetic."""

import re
from typing import Any

import numpy as np
import pytest

from tidegate_web.errors import Unavailable
from tidegate_web.prediction import Signature, TensorSpec

ANY_PATH = pytest.mark.parametrize("path", ["/", "/home"])


def signature(dtype: Any, shape: tuple[int | None, ...] | None) -> Signature:
    spec = TensorSpec(np.dtype(dtype), shape, "DT_X")
    return Signature(inputs={"x": spec}, outputs={"y": TensorSpec(np.dtype(np.float32), (None,), "DT_FLOAT")})


def fields(page: str) -> list[str]:
    return re.findall(r'<(?:input type="text"|textarea)[^>]* name="([^"]+)"', page)


@ANY_PATH
async def test_the_form_asks_for_what_the_signature_takes(start_gateway, path):
    gateway = await start_gateway()
    response = await gateway.client.get(path)
    assert response.status == 200
    page = await response.text()
    assert fields(page) == ["inputs.0", "inputs.1"]
    assert 'id="result"' not in page


@ANY_PATH
@pytest.mark.parametrize("names", [("inputs.0", "inputs.1"), ("input1", "input2")])
async def test_the_result_stands_beside_the_form_which_keeps_what_was_typed(start_gateway, path, names):
    gateway = await start_gateway()
    response = await gateway.client.post(path, data=dict(zip(names, ("3", " 0.5 "), strict=True)))
    assert response.status == 200
    page = await response.text()
    assert '<output id="result" data-class="1" data-model="and_gate" data-version="7">' in page
    assert 'value="3"' in page
    np.testing.assert_array_equal(gateway.predictor.seen[0].inputs["inputs"], [[3, 0.5]])


@pytest.mark.parametrize(
    ("typed", "came"),
    [
        ("five", "the text &#34;five&#34;"),
        ("", "nothing"),
        ("  ", "nothing"),
        ("1 2", "the text &#34;1 2&#34;"),
        ('"><script>', "&lt;script&gt;"),
    ],
)
async def test_a_wrong_field_is_told_beside_it_and_kept(start_gateway, typed, came):
    gateway = await start_gateway()
    response = await gateway.client.post("/home", data={"inputs.0": "1", "inputs.1": typed})
    assert response.status == 400
    page = await response.text()
    message = re.search(r'<p class="error" id="error-inputs.1">([^\n]*)</p>', page)
    assert message is not None
    assert message[1].startswith("Expected a number, came ")
    assert came in message[1]
    assert 'id="error-inputs.0"' not in page
    assert 'value="1"' in page
    assert "<script>" not in page
    assert gateway.predictor.seen == []


async def test_a_person_who_is_lost_is_shown_the_way_and_a_program_is_answered(start_gateway):
    gateway = await start_gateway()
    response = await gateway.client.get("/status<b>", headers={"Accept": "text/html,*/*;q=0.8"})
    page = await response.text()
    assert (response.status, response.content_type) == (404, "text/html")
    assert "There is nothing at /status&lt;b&gt;" in page
    assert '<a href="/">the form</a> or <a href="/docs">the API</a>' in page
    for path, accept in (("/status", "*/*"), ("/v2/nix", "text/html")):
        response = await gateway.client.get(path, headers={"Accept": accept})
        assert (response.status, response.content_type) == (404, "application/json")


async def test_an_empty_form_is_told_so_at_every_field(start_gateway):
    gateway = await start_gateway()
    response = await gateway.client.post("/home", data={})
    assert response.status == 400
    assert re.findall(r'id="error-([^"]+)"', await response.text()) == ["inputs.0", "inputs.1"]


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded; charset=nonsense"],
)
async def test_a_form_that_cannot_be_read_is_told_so(start_gateway, content_type):
    gateway = await start_gateway()
    response = await gateway.client.post("/home", data=b"inputs.0=1", headers={"Content-Type": content_type})
    assert response.status == 400
    assert "The form that was sent cannot be read" in await response.text()


async def test_an_unknown_model_is_404_with_a_way_back(start_gateway):
    gateway = await start_gateway()
    response = await gateway.client.get("/home", params={"model": "nix"})
    assert response.status == 404
    page = await response.text()
    assert "Servable not found for request: Latest(nix)" in page
    assert '<a href="/">the form</a>' in page


async def test_while_the_model_server_is_away_the_page_offers_to_send_the_same_again(start_gateway, fake_predictor):
    gateway = await start_gateway(fake_predictor(error=Unavailable("No model server can answer now")))
    response = await gateway.client.post("/home", data={"inputs.0": "1", "inputs.1": "<5>"})
    assert response.status == 503
    assert response.headers["Retry-After"] == "2"
    page = await response.text()
    assert 'id="unavailable"' in page
    assert '<input type="hidden" name="inputs.1" value="&lt;5&gt;">' in page
    assert response.headers["X-Request-ID"] in page


@pytest.mark.parametrize(
    ("dtype", "shape", "expected"),
    [
        (np.float32, (None, 3), ["x.0", "x.1", "x.2"]),
        (np.float32, (None,), ["x.0"]),
        (object, (None, 1), ["x.0"]),
        (np.float32, (None, 28, 28), ["x.all"]),
        (np.float32, (None, None), ["x.all"]),
        (np.float32, None, ["x.all"]),
        (np.float32, (4,), ["x.all"]),
        (np.float32, (), ["x.all"]),
    ],
)
async def test_each_kind_of_input_has_its_control(start_gateway, fake_predictor, dtype, shape, expected):
    gateway = await start_gateway(fake_predictor(signature(dtype, shape)))
    assert fields(await (await gateway.client.get("/")).text()) == expected


@pytest.mark.parametrize(
    ("dtype", "shape", "typed", "tensor"),
    [
        (np.int64, (None, 2), {"x.0": "1", "x.1": "-2"}, [[1, -2]]),
        (np.bool_, (None,), {"x.0": "True"}, [True]),
        (object, (None, 1), {"x.0": "grüezi"}, [["grüezi".encode()]]),
        (np.float32, (None, None), {"x.all": "[[1, 2, 3], [4, 5, 6]]"}, [[1, 2, 3], [4, 5, 6]]),
        (np.float32, (), {"x.all": "2.5"}, 2.5),
    ],
)
async def test_what_is_typed_becomes_the_tensor(start_gateway, fake_predictor, dtype, shape, typed, tensor):
    outputs = {"y": np.zeros(1, np.float32)}
    gateway = await start_gateway(fake_predictor(signature(dtype, shape), outputs=outputs))
    response = await gateway.client.post("/home", data=typed)
    assert response.status == 200
    sent = gateway.predictor.seen[0].inputs["x"]
    assert sent.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(sent, np.array(tensor, dtype))


@pytest.mark.parametrize(
    ("dtype", "shape", "typed", "expected"),
    [
        (np.int8, (None,), {"x.0": "300"}, "a whole number from -128 to 127, came the number 300"),
        (np.int32, (None,), {"x.0": "1.5"}, "a whole number, came the text"),
        (np.bool_, (None,), {"x.0": "maybe"}, "true or false"),
        (np.float32, (None, None), {"x.all": "[[1, 2"}, "JSON: float32 [any, any]"),
        (np.float32, (None, None), {"x.all": "[[1], [2, 3]]"}, "a list of 1, like its neighbours"),
        (np.float32, (3,), {"x.all": "[1]"}, "float32 [3], came the shape [1]"),
    ],
)
async def test_what_does_not_fit_is_told_beside_its_control(
    start_gateway, fake_predictor, dtype, shape, typed, expected
):
    gateway = await start_gateway(fake_predictor(signature(dtype, shape)))
    response = await gateway.client.post("/home", data=typed)
    assert response.status == 400
    assert f"Expected {expected}" in await response.text()


async def test_pages_allow_nothing_but_their_own_style(start_gateway):
    gateway = await start_gateway()
    response = await gateway.client.get("/")
    assert response.headers["Content-Security-Policy"].startswith(
        "default-src 'none'; script-src 'self'; style-src 'self';"
    )
