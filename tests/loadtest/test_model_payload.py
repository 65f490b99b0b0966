"""What any model is sent, and how its answers are held against signature and card."""

import json
import random
from pathlib import Path

import pytest

from answers import agrees, malformed, rows_of
from payloads import payload_for
from samples import Sample, SampleError, class_names, draw, endless, examples, find_card, fits, read_card, row_shape
from signatures import Signature, SignatureError, Tensor, choose, read_signatures

ROOT = Path(__file__).resolve().parents[2]
DIGITS = Signature(
    "serving_default", {"images": Tensor("DT_FLOAT", (None, 8, 8))}, {"p": Tensor("DT_FLOAT", (None, 10))}
)
MIXED = Signature(
    "tagged",
    {
        "text": Tensor("DT_STRING", (None,)),
        "urgent": Tensor("DT_BOOL", (None,)),
        "photo": Tensor("DT_UINT8", (None, None, 2, 3)),
        "count": Tensor("DT_INT64", (None, 2)),
    },
    {"score": Tensor("DT_FLOAT", (None,)), "said": Tensor("DT_STRING", (None,))},
)
SCALAR = Signature("serving_default", {"n": Tensor("DT_INT32", ())}, {"n": Tensor("DT_INT32", ())})


def metadata(signature: Signature) -> object:
    """As the gateway's metadata route answers."""

    def tensors(found: dict[str, Tensor]) -> dict[str, object]:
        return {
            name: {
                "dtype": tensor.dtype,
                "tensor_shape": {
                    "dim": [{"size": str(-1 if size is None else size)} for size in tensor.shape or ()],
                    "unknown_rank": tensor.shape is None,
                },
            }
            for name, tensor in found.items()
        }

    entry = {
        "inputs": tensors(dict(signature.inputs)),
        "outputs": tensors(dict(signature.outputs)),
        "method_name": "tensorflow/serving/predict",
    }
    other = {**entry, "method_name": "tensorflow/serving/classify"}
    return {"metadata": {"signature_def": {"signature_def": {signature.name: entry, "of_examples": other}}}}


@pytest.mark.parametrize("signature", [DIGITS, MIXED, SCALAR])
def test_signatures_are_read_off_the_metadata(signature):
    assert read_signatures(metadata(signature)) == {signature.name: signature}


@pytest.mark.parametrize("document", [{}, [], "no", {"metadata": {"signature_def": {"signature_def": {"a": {}}}}}])
def test_what_is_no_metadata_is_refused(document):
    with pytest.raises(SignatureError, match="expected the metadata of a model"):
        read_signatures(document)


def test_a_missing_signature_is_refused_with_those_there_are():
    with pytest.raises(SignatureError, match="no signature serving_default; it has other, tagged"):
        choose({"tagged": MIXED, "other": MIXED}, "serving_default")
    with pytest.raises(SignatureError, match="no signature other; it has tagged"):
        choose({"tagged": MIXED}, "other")


def test_the_only_signature_stands_for_a_missing_default():
    assert choose({"tagged": MIXED}, "serving_default") is MIXED


@pytest.mark.parametrize("signature", [DIGITS, MIXED, SCALAR])
def test_drawn_rows_fit_their_signature_and_repeat_by_seed(signature):
    rows = [draw(signature, (), random.Random(seed)) for seed in (1, 1, 2)]
    assert rows[0] == rows[1] != rows[2]
    assert rows[0].inputs is not None
    for name, tensor in signature.inputs.items():
        assert fits(rows[0].inputs[name], row_shape(tensor))


def test_a_lone_input_goes_without_its_name_and_several_with_theirs():
    assert json.loads(DIGITS.body(["[[1]]", "[[2]]"])) == {"instances": [[[1]], [[2]]]}
    row = json.dumps(MIXED.row({"text": "a", "urgent": True, "photo": [], "count": [1, 2]}))
    body = json.loads(MIXED.body([row]))
    assert body["signature_name"] == "tagged"
    assert body["instances"][0]["count"] == [1, 2]


def test_what_has_no_rows_goes_in_columns_one_a_request():
    assert json.loads(SCALAR.body([json.dumps(SCALAR.row({"n": 3}))])) == {"inputs": 3}
    assert rows_of({"outputs": 4}, SCALAR, 1) == [4]


def test_a_dtype_that_stands_in_no_json_is_refused_by_name():
    signature = Signature("s", {"z": Tensor("DT_COMPLEX64", (None,))}, {})
    with pytest.raises(SampleError, match="input z is of type DT_COMPLEX64"):
        draw(signature, (), random.Random(1))


def test_the_cards_examples_come_first_and_rows_like_them_after():
    path = find_card("digits", ["nowhere", str(ROOT / "k8s/base/cards")])
    assert path is not None
    like = examples(read_card(path), DIGITS)
    assert [sample.expected for sample in like] == list(range(10))  # the one of signature png does not fit
    stream = endless(DIGITS, like, random.Random(1))
    assert [next(stream) for _ in range(10)] == like
    drawn = next(stream)
    assert drawn.expected is None
    assert isinstance(drawn.row, list)
    seen = [{sample.row[y][x] for sample in like} for y in range(8) for x in range(8)]  # type: ignore[index]
    assert all(drawn.row[place // 8][place % 8] in seen[place] for place in range(64))


def test_examples_of_another_version_are_left_out():
    card = {"examples": [{"inputs": {"images": [[1, 2]]}}, {"inputs": {"x": 1}}, "no", {"inputs": None}]}
    assert examples(card, DIGITS) == []


@pytest.mark.parametrize("text", ["no", "[]", '{"examples": 1}'])
def test_a_file_that_is_no_card_is_refused_by_name(tmp_path, text):
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(SampleError, match=r"m\.json: expected a model's card"):
        read_card(tmp_path / "m.json")


def test_likeness_takes_whole_texts_and_lists_of_one_length():
    signature = Signature("s", {"words": Tensor("DT_STRING", (None, None))}, {})
    like = [Sample(None, None, {"words": words}) for words in (["a", "b"], ["c"], ["d", "e"])]
    for seed in range(20):
        row = draw(signature, like, random.Random(seed)).row
        assert row == ["c"] or (row[0] in {"a", "d"} and row[1] in {"b", "e"})  # type: ignore[index]


@pytest.mark.parametrize(
    ("expected", "answer", "right"),
    [
        (1, [0.1, 0.9], True),
        ("on", [0.1, 0.9], True),
        (0, [0.1, 0.9], False),
        ("off", [0.1, 0.9], False),
        (1, {"p": [0.1, 0.9], "note": "x"}, True),
        ([0.5], [0.5004], True),
        (0.5, 0.6, False),
        ("yes", "yes", True),
        ("yes", "no", False),
        (None, [0.1, 0.9], None),
        (None, 3, None),
        ([1], [0.1, 0.9], None),
        (3, "yes", None),
    ],
)
def test_an_answer_is_right_as_the_form_says(expected, answer, right):
    assert agrees(expected, answer, ("off", "on")) is right


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"score": 0.5, "said": "x"}, ""),
        ({"score": 1, "said": {"b64": "AA=="}}, ""),
        ({"score": 0.5}, "expected score, said, came"),
        ({"score": [0.5], "said": "x"}, "score: expected DT_FLOAT [-1], came [0.5]"),
        ({"score": float("nan"), "said": "x"}, "score: expected finite DT_FLOAT"),
        ({"score": "x", "said": "x"}, "score: expected finite DT_FLOAT"),
    ],
)
def test_an_answer_of_unknown_truth_must_have_the_signatures_form(answer, problem):
    found = malformed(answer, MIXED)
    assert found.startswith(problem)
    assert bool(found) == bool(problem)


def test_the_number_of_rows_is_checked():
    assert rows_of({"predictions": [[1]]}, DIGITS, 2) == "expected 2 rows, came [[1]]"
    assert rows_of({"error": "no"}, DIGITS, 2) == "expected JSON with predictions, came {'error': 'no'}"


def test_names_of_classes_are_the_cards():
    assert class_names({"class_names": ["a", 1]}) == ("a", "1")
    assert class_names({}) == ()


def test_every_other_row_is_an_example_whose_answer_is_known(tmp_path: Path):
    examples = [{"inputs": {"images": [[number] * 8] * 8}, "expected": number} for number in range(3)]
    (tmp_path / "m.json").write_text(json.dumps({"examples": examples}))
    expected = [row.expected for row in payload_for("m", DIGITS, (str(tmp_path),)).pool]
    assert expected == [*(number for pair in range(32) for number in (pair % 3, None))]
