"""What the page tells of an answer: classes, time, the example's fate, and the same as a command."""

import base64
import html
import re
import shlex

import numpy as np
import orjson
import pytest
from aiohttp import FormData

from tidegate_web.cards import CardError, ModelCard, parse_card
from tidegate_web.errors import BadInput
from tidegate_web.form.curl import command, origin
from tidegate_web.form.examples import ExampleShelf, judge, shown_examples
from tidegate_web.form.failures import failure
from tidegate_web.form.result import Bar, show
from tidegate_web.prediction import ModelRef, Outcome, Prediction, Signature, TensorSpec

FLOAT = np.dtype(np.float32)


@pytest.fixture
async def gateway(start_gateway, many_models, cards_dir):
    return await start_gateway(many_models(), cards_dir=str(cards_dir))


async def page_of(gateway, posted: dict[str, str]) -> str:
    response = await gateway.client.post("/home", data=posted)
    assert response.status == 200
    return str(await response.text())


async def test_classes_are_called_by_the_cards_names(gateway):
    page = await page_of(gateway, {"inputs.0": "5", "inputs.1": "6"})
    assert '<output id="result" data-class="1" data-model="and_gate" data-version="2">' in page
    assert '<strong class="verdict">on</strong> <span class="share">99.2 %</span>' in page
    assert re.findall(r'<tr[^>]*><th scope="row"><span>([^<]+)', page) == ["off", "on"]
    assert '<label for="inputs.0">First input</label>' in page
    assert '<h1 id="form-title">AND gate</h1>' in page


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("No picture.\n\t [[{{function_node map_while_body_3127}}{{node map/while/Assert/Assert}}]]", "No picture."),
        ("{{function_node __inference_f_7}} Bad row\n\t [[{{node a}}]]\n\t [[{{node b}}]]", "Bad row"),
        ("expected: [[1, 2]] came: {{x}}", "expected: [[1, 2]] came: {{x}}"),
    ],
)
def test_people_are_not_told_where_in_the_graph(said, shown):
    assert failure(BadInput(said), "7", {}, {}).text == shown


async def test_the_api_keeps_the_model_servers_words(start_gateway, fake_predictor):
    said = "No picture.\n\t [[{{node Assert}}]]"
    gateway = await start_gateway(fake_predictor())

    async def refuse(_prediction, _timeout_s):
        raise BadInput(said)

    gateway.predictor.predict = refuse
    response = await gateway.client.post("/v1/models/and_gate:predict", json={"instances": [[1, 1]]})
    assert (await response.json())["error"] == said
    response = await gateway.client.post("/home", data={"inputs.0": "1", "inputs.1": "1"})
    page = await response.text()
    assert response.status == 400
    assert "No picture." in page
    assert "{{node" not in page


async def test_the_time_is_told_by_stage_and_adds_up(gateway):
    page = await page_of(gateway, {"inputs.0": "5", "inputs.1": "6"})
    stages = re.findall(r"</svg> (\w+) <span class=\"number\">([\d.]+) ms", page)
    assert [name for name, _ in stages] == ["queue", "grpc", "codec", "rest"]
    assert dict(stages)["grpc"] == "4.20"


def test_what_no_stage_took_is_the_rest():
    result = show(Outcome({}, version=1, timings={"queue": 0.001, "grpc": 0.002}), (), total_s=0.004)
    assert [(s.name, round(s.took_ms, 6), round(s.percent, 6)) for s in result.stages] == [
        ("queue", 1, 25),
        ("grpc", 2, 50),
        ("rest", 1, 25),
    ]
    assert sum(stage.percent for stage in result.stages) == pytest.approx(100)


def test_of_many_classes_the_largest_are_shown():
    shares = np.arange(21, dtype=np.float32)[None]
    (output,) = show(Outcome({"y": shares / shares.sum()}, version=1), [str(i) for i in range(21)], 0).outputs
    assert [bar.name for bar in output.bars] == [str(index) for index in range(20, 10, -1)]
    assert output.of == 21


@pytest.mark.parametrize(
    ("outputs", "score"),
    [
        ({"y": np.array([[-1.2190831]], np.float32)}, "-1.2190831"),
        ({"y": np.array([7])}, "7"),
        ({"y": np.array([[1.0, 2.0]])}, ""),
        ({"y": np.array([1.0]), "z": np.array([1.0])}, ""),
        ({"y": np.array([b"read"], object)}, ""),
    ],
)
def test_a_single_score_is_the_answer(outputs, score):
    assert show(Outcome(outputs, version=1), (), 0).score == score


async def test_a_single_score_stands_without_lists_around_it(start_gateway, fake_predictor):
    gateway = await start_gateway(fake_predictor(outputs={"score": np.array([[-1.2190831]], np.float32)}))
    page = await page_of(gateway, {"inputs.0": "5", "inputs.1": "6"})
    assert '<strong class="verdict">-1.2190831</strong> <span class="share">score</span>' in page


@pytest.mark.parametrize("array", [[[0.5, 0.6]], [[0.5, 0.5], [0.5, 0.5]], [[-0.5, 1.5]], [[np.nan, 1.0]]])
def test_what_is_no_distribution_over_classes_is_shown_as_it_is(array):
    (output,) = show(Outcome({"y": np.array(array, np.float32)}, version=1), (), 0).outputs
    assert output.bars == ()
    assert output.text.startswith("[[")


def test_an_endless_answer_is_cut():
    (output,) = show(Outcome({"y": np.zeros((1, 100_000), np.float32)}, version=1), (), 0).outputs
    assert len(output.text) < 21_000


async def test_an_example_fills_the_form_and_its_answer_is_judged(gateway):
    filled = await (await gateway.client.get("/home?model=digits&example=4")).text()
    assert '<input type="hidden" name="example" value="4">' in filled
    typed = re.search(r'<textarea id="images.all"[^>]*>\n([^<]*)</textarea>', filled)
    assert typed
    posted = {"model": "digits", "example": "4", "images.all": html.unescape(typed[1])}
    assert 'class="judged right">As expected: 3' in await page_of(gateway, posted)
    changed = await page_of(gateway, posted | {"images.all": typed[1].replace("16.0", "15.0", 1)})
    assert "judged" not in changed
    ninth = await (await gateway.client.get("/home?model=digits&example=9")).text()
    typed = re.search(r'<textarea id="images.all"[^>]*>\n([^<]*)</textarea>', ninth)
    assert typed
    wrong = await page_of(gateway, {"model": "digits", "example": "9", "images.all": typed[1]})
    assert 'class="judged wrong">Not as expected: 8' in wrong


async def test_numbers_of_an_example_are_typed_as_people_do(gateway):
    filled = await (await gateway.client.get("/?example=2")).text()
    assert re.findall(r'name="inputs\.\d" value="([^"]*)"', filled) == ["0", "0.5"]


async def test_an_example_number_that_is_none_does_not_stop_a_prediction(gateway):
    assert "judged" not in await page_of(gateway, {"inputs.0": "1", "inputs.1": "1", "example": "x"})


def card(*examples: dict[str, object]) -> ModelCard:
    return parse_card(orjson.dumps({"examples": examples}))


REGRESSION = Signature({"x": TensorSpec(FLOAT, (None, 2), "DT_FLOAT")}, {"y": TensorSpec(FLOAT, (None, 1), "DT_FLOAT")})


def test_examples_that_do_not_fit_the_signature_are_left_out():
    examples = card(
        {"inputs": {"x": [1, 2]}},
        {"inputs": {"x": [1, 2, 3]}},
        {"inputs": {"x": "text"}},
        {"inputs": {"z": [1, 2]}},
        {"inputs": {"x": [1, 2]}, "signature": "other"},
    )
    shown = shown_examples(examples, "serving_default", REGRESSION)
    assert [(example.number, example.text) for example in shown] == [(1, "1, 2")]


def test_examples_are_prepared_again_when_the_card_changes():
    shelf = ExampleShelf()
    one, other = card({"inputs": {"x": [1, 2]}}), card({"inputs": {"x": [3, 4]}})
    first = shelf.examples("m", one, "serving_default", REGRESSION)
    assert shelf.examples("m", one, "serving_default", REGRESSION) is first
    assert [shown.text for shown in shelf.examples("m", other, "serving_default", REGRESSION)] == ["3, 4"]


@pytest.mark.parametrize(
    ("expected", "best", "output", "right"),
    [
        (1, Bar(1, "on", 90.0, largest=True), [[0.1, 0.9]], True),
        ("on", Bar(1, "on", 90.0, largest=True), [[0.1, 0.9]], True),
        ("off", Bar(1, "on", 90.0, largest=True), [[0.1, 0.9]], False),
        ([0.1, 0.9], Bar(1, "on", 90.0, largest=True), [[0.1, 0.9]], None),
        (2.5, None, [[2.5]], True),
        ([2.5, 3], None, [[2.5001, 3]], True),
        (2.5, None, [[2.6]], False),
        ([2.5], None, [[2.5, 1]], False),
        ({"y": 1}, None, [[1]], None),
        (None, None, [[1]], None),
    ],
)
def test_an_answer_is_held_against_what_the_card_expects(expected, best, output, right):
    (example,) = shown_examples(card({"inputs": {"x": [1, 2]}, "expected": expected}), "serving_default", REGRESSION)
    judgement = judge(example, example.tensors, best, {"y": np.array(output, np.float32)})
    assert (judgement and judgement.right) is right


@pytest.mark.parametrize(
    ("member", "value"),
    [("image_range", [1]), ("image_range", [16, 0]), ("image_range", "0 to 16"), ("image_invert", 1)],
)
def test_a_card_that_says_pictures_wrongly_is_refused(member, value):
    with pytest.raises(CardError, match=member):
        parse_card(orjson.dumps({member: value}))


@pytest.mark.parametrize(
    "posted",
    [
        {"inputs.0": "5", "inputs.1": "6"},
        {"model": "and_gate", "version": "1", "inputs.0": "nan", "inputs.1": "0.1"},
        {"model": "and_gate", "label": "canary", "inputs.0": "5", "inputs.1": "-inf"},
        {"model": "digits", "images.all": str([[0.0] * 8] * 8)},
        {"model": "digits", "signature": "png", "png.all": "J2FiYycgJCgpYA=="},
        {"model": "digits", "signature": "png", "png.all": "/wD/"},
    ],
)
async def test_the_command_asks_exactly_the_same(gateway, posted):
    page = await page_of(gateway, posted)
    text = re.search(r'<code id="curl">(.*?)</code>', page, re.DOTALL)
    assert text
    words = shlex.split(html.unescape(text[1]).replace("\\\n", ""))
    assert words[:2] == ["curl", "-sS"]
    url, _, content_type, _, body = words[2:]
    assert url.startswith(str(gateway.client.make_url("/v1/models/")))
    response = await gateway.client.post(
        url.removeprefix(str(gateway.client.make_url("")).rstrip("/")),
        data=body.encode(),
        headers=dict([content_type.split(": ")]),
    )
    assert response.status == 200
    typed, sent = gateway.predictor.seen
    assert (typed.model, typed.signature, typed.batchable) == (sent.model, sent.signature, sent.batchable)
    for name, array in typed.inputs.items():
        np.testing.assert_array_equal(array, sent.inputs[name])


def test_a_command_is_safe_to_paste_whatever_is_in_it():
    prediction = Prediction(ModelRef("it's; rm"), "a'b$(c)", {"x": np.array([b"'; reboot #"], object)}, batchable=True)
    text = command(prediction, prediction.model, origin("http", "evil`host`"), 2**20).text
    words = shlex.split(text.replace("\\\n", ""))
    assert words[2] == "http://localhost/v1/models/it%27s%3B%20rm:predict"
    assert words[-1] == """{"signature_name":"a'b$(c)","instances":["'; reboot #"]}"""


def test_a_body_that_is_too_large_to_paste_is_a_file_to_save():
    prediction = Prediction(ModelRef("m"), "serving_default", {"x": np.zeros((1, 40_000), np.float32)}, batchable=True)
    made = command(prediction, prediction.model, "http://gate", 2**20)
    assert made.body_bytes > 2**15
    assert made.text.endswith("-d @row.json")
    kind, _, data = made.download.partition(";base64,")
    assert kind == "data:application/json"
    assert orjson.loads(base64.b64decode(data)) == {"instances": [[0.0] * 40_000]}


async def test_a_body_that_the_api_would_refuse_is_not_offered(start_gateway, many_models):
    gateway = await start_gateway(many_models(), max_body_mb=0.1)
    posted = FormData({"model": "digits", "signature": "png"})
    posted.add_field("png.all.file", b"\xff" * 90_000, filename="a.png")
    response = await gateway.client.post("/home", data=posted)
    page = await response.text()
    assert response.status == 200
    assert "more than this gateway takes" in page
    assert "row.json" not in page
