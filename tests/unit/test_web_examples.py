"""Classify and regress over REST: examples in, results out."""

import asyncio
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate_web.codec.examples import parse_examples
from tidegate_web.errors import BadInput, Unimplemented

CLASSIFY = "/v1/models/flowers:classify"
REGRESS = "/v1/models/flowers/versions/3:regress"


async def test_classes_are_written_as_tf_servings_code_writes_them(start_gateway, fake_predictor):
    """It calls the member `results`; its documentation says `result`."""
    classes = [[("iris", 0.1), ("röse", 0.9)], [("", 1.0)]]
    gateway = await start_gateway(fake_predictor(classes=classes))
    response = await gateway.client.post(CLASSIFY, json={"examples": [{"x": 1.5}, {"x": 2.5}]})
    assert response.status == 200
    assert (await response.read()).decode() == '{"results":[[["iris",0.1],["röse",0.9]],[["",1.0]]]}'
    assert response.headers["Tidegate-Model-Version"] == "7"


async def test_values_are_written_as_the_shortest_decimals_of_float32(start_gateway, fake_predictor):
    values = [float(np.float32(0.1)), 3.0, -0.0]
    gateway = await start_gateway(fake_predictor(values=values))
    response = await gateway.client.post(REGRESS, json={"examples": [{}] * 3})
    assert await response.read() == b'{"results":[0.1,3.0,-0.0]}'


async def test_results_that_are_no_numbers_are_literals(start_gateway, fake_predictor):
    gateway = await start_gateway(
        fake_predictor(values=[float("nan"), float("inf"), 0.5], classes=[[("a", float("-inf"))]])
    )
    response = await gateway.client.post(REGRESS, json={"examples": [{}]})
    assert await response.read() == b'{"results":[NaN,Infinity,0.5]}'
    response = await gateway.client.post(CLASSIFY, json={"examples": [{}]})
    assert await response.read() == b'{"results":[[["a",-Infinity]]]}'


async def test_model_signature_examples_and_context_reach_the_predictor(start_gateway, fake_predictor):
    gateway = await start_gateway(fake_predictor())
    body = {"signature_name": "by_size", "context": {"c": "all"}, "examples": [{"x": [1.5, 2]}, {"y": 7}]}
    await gateway.client.post(REGRESS, json=body)
    (query,) = gateway.predictor.queries
    assert (query.model.name, query.model.version, query.signature) == ("flowers", 3, "by_size")
    assert query.context is not None
    assert query.context["c"].tolist() == [b"all"]
    assert query.examples[0]["x"].tolist() == [1.5, 2.0]
    assert query.examples[1]["y"].tolist() == [7]


async def test_without_signature_and_context_it_is_the_default_and_none(start_gateway, fake_predictor):
    gateway = await start_gateway(fake_predictor())
    await gateway.client.post(CLASSIFY, json={"signature_name": "", "examples": [{}]})
    (query,) = gateway.predictor.queries
    assert (query.signature, query.context, query.examples) == ("serving_default", None, [{}])


@pytest.mark.parametrize(
    ("feature", "dtype", "elements"),
    [
        (b"5", np.int64, [5]),
        (b"[1, -2]", np.int64, [1, -2]),
        (b"-9223372036854775808", np.int64, [-(2**63)]),
        (b"[true, false, 3]", np.int64, [1, 0, 3]),
        (b"1.0", np.float32, [1.0]),
        (b"[1, 2.5]", np.float32, [1.0, 2.5]),
        (b"[-0.0]", np.float32, [-0.0]),
        (b"[NaN, -Infinity, 1]", np.float32, [np.nan, -np.inf, 1]),
        (b"18446744073709551616", np.float32, [2.0**64]),
        (b'"word"', object, [b"word"]),
        (b'["a", {"b64": "/w=="}, ""]', object, [b"a", b"\xff", b""]),
    ],
)
async def test_a_feature_takes_its_type_from_its_elements(start_gateway, fake_predictor, feature, dtype, elements):
    gateway = await start_gateway(fake_predictor(values=[0.0]))
    response = await gateway.client.post(REGRESS, data=b'{"examples": [{"x": ' + feature + b"}]}")
    assert response.status == 200
    found = gateway.predictor.queries[0].examples[0]["x"]
    assert found.dtype == dtype
    assert found.shape == (len(elements),)
    np.testing.assert_array_equal(found, np.array(elements, dtype))


async def test_a_feature_may_be_empty(start_gateway, fake_predictor):
    gateway = await start_gateway(fake_predictor(values=[0.0]))
    response = await gateway.client.post(REGRESS, json={"examples": [{"x": []}]})
    assert response.status == 200
    assert gateway.predictor.queries[0].examples[0]["x"].shape == (0,)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"[]", 'body: expected an object with "examples", came a list of 0'),
        (b'{"instances": [[1]]}', "examples: expected a list of one example or more, came the keys ['instances']"),
        (b'{"examples": []}', "examples: expected a list of one example or more, came a list of 0"),
        (b'{"examples": {"x": 1}}', "examples: expected a list of one example or more, came an object"),
        (b'{"examples": [1]}', "examples[0]: expected an object of features by name, came the number 1"),
        (b'{"examples": [{}], "context": 5}', "context: expected an object of features by name, came the number 5"),
        (b'{"examples": [{}], "context": {"c": null}}', "context.c: expected a number, a text or"),
        (b'{"examples": [{}, {"x": null}]}', "examples[1].x: expected a number, a text or"),
        (b'{"examples": [{"x": [1, [2]]}]}', "examples[0].x[1]: expected a number, a text or"),
        (b'{"examples": [{"x": [1, "one"]}]}', "examples[0].x: expected elements of one kind"),
        (b'{"examples": [{"x": [1.5, true]}]}', "examples[0].x: expected elements of one kind"),
        (b'{"examples": [{"x": {"y": 1}}]}', 'examples[0].x: expected a text or {"b64": "…"}, came an object'),
        (b'{"examples": [{"x": {"b64": "?"}}]}', "examples[0].x.b64: expected base64"),
        (b'{"examples": [{"x": 9223372036854775808}]}', "a whole number from -9223372036854775808 to"),
        (b'{"examples": [{"x": 1e39}]}', "examples[0].x: expected numbers that fit float32"),
        (b'{"examples": [{}], "signature_name": 5}', "signature_name: expected a text, came the number 5"),
        (b'{"examples": [{}], "examples": [{}]}', "examples: expected each member of an object once"),
    ],
)
@pytest.mark.parametrize("path", [CLASSIFY, REGRESS])
async def test_bad_bodies_are_told_what_was_expected_and_what_came(start_gateway, fake_predictor, path, body, said):
    gateway = await start_gateway(fake_predictor())
    response = await gateway.client.post(path, data=body)
    assert response.status == 400
    answer = await response.json()
    assert said in answer["error"]
    assert answer["details"]["code"] == "bad_input"
    assert gateway.predictor.queries == []


FEATURES = st.dictionaries(
    st.text(max_size=3),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just({"b64": "/w=="}),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)


@given(st.lists(FEATURES, max_size=3), FEATURES | st.none())
def test_any_examples_are_read_or_bad_input(examples, context):
    body = {"examples": examples} | ({} if context is None else {"context": context})
    try:
        found = parse_examples(json.dumps(body).encode())
    except BadInput as error:
        assert str(error)
        return
    assert len(found.examples) == len(examples)
    assert (found.context is None) == (context is None)
    for features in found.examples:
        for array in features.values():
            assert array.dtype in {np.dtype(np.float32), np.dtype(np.int64), np.dtype(object)}
            assert array.ndim == 1


@given(st.binary(max_size=40))
def test_any_bytes_are_examples_or_bad_input(text):
    for body in (text, b'{"examples":[' + text + b"]}", b'{"examples":[{"x":' + text + b"}]}"):
        try:
            parse_examples(body)
        except BadInput as error:
            assert str(error)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BadInput("Expected classification signature method_name to be tensorflow/serving/classify. Was: "), 400),
        (Unimplemented("no such method"), 501),
    ],
)
async def test_the_model_servers_words_are_the_answer(start_gateway, fake_predictor, error, status):
    gateway = await start_gateway(fake_predictor(error=error))
    response = await gateway.client.post(CLASSIFY, json={"examples": [{}]})
    assert response.status == status
    assert (await response.json())["error"] == str(error)


async def test_examples_wait_their_turn_and_count_as_rows(start_gateway, fake_predictor):
    held = asyncio.Event()
    gateway = await start_gateway(fake_predictor(held=held, values=[0.0] * 3), max_inflight=1, max_queue=1)

    def pending() -> Any:
        return gateway.metrics.registry.get_sample_value("tidegate_serving_pending_predictions")

    first = asyncio.create_task(
        gateway.client.post("/v1/models/and_gate:predict", json={"instances": [[1, 1], [0, 1]]})
    )
    while pending() != 2:
        await asyncio.sleep(0.001)
    second = asyncio.create_task(gateway.client.post(REGRESS, json={"examples": [{}] * 3}))
    while pending() != 5:
        await asyncio.sleep(0.001)
    assert gateway.predictor.queries == []
    third = await gateway.client.post(CLASSIFY, json={"examples": [{}]})
    assert third.status == 429
    held.set()
    assert [(await first).status, (await second).status] == [200, 200]
    assert pending() == 0
