"""The form as a user of the load test fills it in, and what it makes of the page that comes back: the gateway's own."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import FormData
from aiohttp.test_utils import TestClient

from form_page import FormError, fill_in, wrong_answer
from payloads import Payload, make_payload
from tests.loadtest.one_model import TEXT, Model, OneModel, gateway, signature, tensor
from tidegate_web.prediction import Array

WHOLE, SWITCH, BYTE = np.dtype(np.int64), np.dtype(np.bool_), np.dtype(np.uint8)
NOTE = np.array([b"a"], object)
SCORE = {"score": tensor(None)}


class Browser:
    """Opens the form of a model, sends what was filled in, and keeps what the model got."""

    def __init__(self, client: TestClient[Any, Any], model: str) -> None:
        self._client, self._model = client, model

    async def payload(self, cards: Path) -> Payload:
        async with self._client.get(f"/v1/models/{self._model}/metadata") as answer:
            return make_payload(self._model, await answer.json(), (str(cards),), seed=1)

    async def open(self) -> str:
        async with self._client.get("/home", params={"model": self._model}) as answer:
            assert answer.status == 200
            return await answer.text()

    async def send(self, payload: Payload, inputs: Mapping[str, object]) -> str:
        filled = fill_in(await self.open(), payload.signature, inputs)
        form = FormData(default_to_multipart=bool(filled.files))
        for name, text in filled.texts.items():
            form.add_field(name, text)
        for name, (file, data) in filled.files.items():
            form.add_field(name, data, filename=file)
        async with self._client.post(filled.action, data=form) as answer:
            text = await answer.text()
            assert answer.status == 200, text
            return text


@pytest.fixture
def visit(aiohttp_client, tmp_path):
    async def start(predictor: OneModel, card: object = None) -> tuple[Browser, Payload]:
        if card is not None:
            (tmp_path / f"{predictor.name}.json").write_text(json.dumps(card))
        browser = Browser(await aiohttp_client(gateway(predictor, tmp_path)), predictor.name)
        return browser, await browser.payload(tmp_path)

    return start


def told(got: dict[str, Array], outputs: Mapping[str, Array]) -> Model:
    """A model that keeps what it got, and says always the same."""

    def model(inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        got.update(inputs)
        return outputs

    return model


async def test_every_kind_of_input_reaches_the_model_as_it_was_drawn(visit):
    got: dict[str, Array] = {}
    inputs = {
        "text": tensor(None, dtype=TEXT),
        "urgent": tensor(None, dtype=SWITCH),
        "count": tensor(None, 2, dtype=WHOLE),
        "many": tensor(None, 40),
        "photo": tensor(None, 8, 8, 3, dtype=BYTE),
        "words": tensor(None, None, dtype=TEXT),
        "fixed": tensor(3),
        "anything": tensor(None, 2, 2),
    }
    model = OneModel("mixed", signature(inputs, SCORE), told(got, {"score": np.array([0.5], np.float32)}))
    browser, payload = await visit(model)
    row = payload.pool[0]
    assert wrong_answer(await browser.send(payload, row.inputs), payload, row) == ""
    for name, spec in inputs.items():
        sent: Any = [row.inputs[name]] if spec.batched else row.inputs[name]
        if spec.dtype == TEXT:
            sent = np.char.encode(np.array(sent, str)).astype(object)
        np.testing.assert_array_equal(got[name], np.array(sent, spec.dtype), err_msg=name)


async def test_encoded_pictures_go_as_files_and_text_as_it_is_written(visit):
    got: dict[str, Array] = {}
    inputs = {"png": tensor(None, dtype=TEXT), "caption": tensor(None, dtype=TEXT)}
    model = OneModel("photo", signature(inputs, SCORE), told(got, {"score": np.array([2], np.float32)}))
    picture = b"\x89PNG\r\n\x00\xff"
    value = {"png": {"b64": base64.b64encode(picture).decode()}, "caption": '<a "tide" & a gate>'}
    browser, payload = await visit(model, {"examples": [{"inputs": value, "expected": 2}]})
    row = payload.pool[0]
    assert wrong_answer(await browser.send(payload, row.inputs), payload, row) == ""
    assert (got["png"].tolist(), got["caption"].tolist()) == ([picture], [b'<a "tide" & a gate>'])


async def test_a_signature_of_another_name_is_the_pages_too_where_it_is_the_only_one(visit):
    got: dict[str, Array] = {}
    known = signature({"x": tensor(None)}, SCORE)
    browser, payload = await visit(OneModel("m", known, told(got, {"score": np.ones(1, np.float32)}), "tagged"))
    assert payload.signature.name == "tagged"
    assert wrong_answer(await browser.send(payload, {"x": 2}), payload, payload.pool[0]) == ""


def shares(best: int, of: int) -> Array:
    found = np.full((1, of), 0.2 / (of - 1), np.float32)
    found[0, best] = 0.8
    return found


@pytest.mark.parametrize("of", [3, 20, 21, 1000])
async def test_the_class_is_held_against_the_examples_however_many_there_are(visit, of):
    names = [f"class <{number}>" for number in range(of)]
    card = {
        "class_names": names,
        "examples": [{"inputs": {"x": 1}, "expected": names[2]}, {"inputs": {"x": 2}, "expected": 1}],
    }
    known = signature({"x": tensor(None)}, {"p <&>": tensor(None, of)})
    browser, payload = await visit(OneModel("m", known, told({}, {"p <&>": shares(2, of)})), card)
    right, _, wrong = payload.pool[:3]
    page = await browser.send(payload, right.inputs)
    assert wrong_answer(page, payload, right) == ""
    assert wrong_answer(page, payload, wrong).startswith("wrong answer for 2: expected 1, came [")


@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        ({"p": shares(1, 3), "note": NOTE}, ""),
        ({"p": shares(1, 4), "note": NOTE}, "p: expected DT_FLOAT [-1, 3], came [0.067"),
        (
            {"p": np.array([[1, 2, np.nan]], np.float32), "note": NOTE},
            "p: expected finite DT_FLOAT",
        ),
        ({"p": np.ones((2, 3), np.float32), "note": NOTE}, "p: expected 1 rows, came [[1.0,"),
        ({"p": shares(1, 3)}, "expected p, note, came p"),
        ({"p": shares(1, 3), "note": np.array([b"a" * 30_000], object)}, ""),
    ],
    ids=["right", "other size", "not finite", "two rows", "one missing", "too large to be shown"],
)
async def test_an_answer_must_have_the_signatures_form(visit, outputs, says):
    known = signature({"x": tensor(None)}, {"p": tensor(None, 3), "note": tensor(None, dtype=TEXT)})
    browser, payload = await visit(OneModel("m", known, told({}, outputs)))
    row = payload.pool[0]
    problem = wrong_answer(await browser.send(payload, row.inputs), payload, row)
    assert problem.startswith(says)
    assert bool(problem) == bool(says)


async def test_pages_without_form_fields_or_answer_are_told_apart(visit):
    known = signature({"x": tensor(None, 2)}, SCORE)
    browser, payload = await visit(OneModel("m", known, told({}, {})))
    with pytest.raises(FormError, match="expected a page with a form, came one without"):
        fill_in("<h1>Down</h1>", payload.signature, {"x": [1, 2]})
    with pytest.raises(FormError, match=r"expected a form with x\.0, x\.1, x\.2, came one with x\.0, x\.1$"):
        fill_in(await browser.open(), payload.signature, {"x": [1, 2, 3]})
    assert wrong_answer(await browser.open(), payload, payload.pool[0]) == "expected a result on the page, came none"
