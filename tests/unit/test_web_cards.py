"""What is wrong with a card stands in the log, once, with the file's path."""

import logging

import orjson
import pytest

from tidegate_web.cards import Cards, parse_card

MEMBERS = ["title", "description", "class_names", "feature_names", "examples", "image_range", "image_invert"]


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.WARNING, "tidegate_web")
    return lambda: [(record.path, record.error) for record in caplog.records if record.name.startswith("tidegate_web")]


@pytest.fixture
def write_card(tmp_path):
    def write(model: str, text: str | bytes | dict[str, object]) -> str:
        file = tmp_path / f"{model}.json"
        file.write_bytes(orjson.dumps(text) if isinstance(text, dict) else str(text).encode())
        return str(file)

    return write


async def test_a_broken_card_is_told_when_the_gateway_starts(start_gateway, many_models, write_card, tmp_path, told):
    path = write_card("digits", '{"title": "Digits",}')
    await start_gateway(many_models(), cards_dir=str(tmp_path))
    ((where, error),) = told()
    assert where == path
    assert error.startswith("not JSON: ")


def test_members_that_nobody_reads_are_told_with_the_nearest_name():
    card = parse_card(
        orjson.dumps({"titel": "x", "class_names": [], "zzz": 1, "examples": [{"inputs": {}, "lable": "a"}]})
    )
    assert card.unread == (
        "titel: no such member; did you mean title?",
        f"zzz: no such member; there are {', '.join(MEMBERS)}",
        "examples[0].lable: no such member; did you mean label?",
    )


def test_a_file_that_is_too_large_is_told_to_be(tmp_path, write_card, told):
    path = write_card("digits", f'{{"title": "{"x" * 2**20}"}}')
    assert Cards(tmp_path).card("digits").title == ""
    assert told() == [(path, "expected at most 1048576 bytes, came more")]


async def test_what_does_not_fit_the_model_is_told_once(start_gateway, many_models, write_card, tmp_path, told):
    card = {
        "title": "Gate",
        "feature_names": ["only one"],
        "class_names": ["off", "on", "other"],
        "examples": [
            {"inputs": {"inputs": [1, 2]}},
            {"inputs": {"input": [1, 2]}},
            {"inputs": {"inputs": [1, 2, 3]}},
            {"inputs": {"inputs": [1, 2]}, "signature": "nix"},
        ],
    }
    path = write_card("and_gate", card)
    gateway = await start_gateway(many_models(), cards_dir=str(tmp_path))
    for _ in range(2):
        assert (await gateway.client.get("/home?model=and_gate")).status == 200
    assert {where for where, _ in told()} == {path}
    features, classes, names, shape, signature = [error for _, error in told()]
    assert features == "feature_names: expected 2, one for each control, came 1"
    assert classes == "class_names: expected 2, one for each class, came 3"
    assert names == "examples[1]: inputs: expected inputs, came input"
    assert shape.startswith("examples[2]: inputs.inputs: expected float32 [any, 2]")
    assert signature == "examples[3]: signature: expected one of serving_default, came nix"


async def test_a_card_that_fits_is_not_told_of(start_gateway, many_models, cards_dir, told):
    gateway = await start_gateway(many_models(), cards_dir=str(cards_dir))
    for model in ("and_gate", "digits", "mixed"):
        assert (await gateway.client.get(f"/home?model={model}")).status == 200
    assert told() == []
