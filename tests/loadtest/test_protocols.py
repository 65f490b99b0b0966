"""Rows over the Open Inference Protocol and gRPC, held against the gateway's own reading of both."""

import json
import random
from collections.abc import Mapping

import numpy as np
import pytest

import oip
from _grpc_client import FIELDS, GrpcClient, decode, encode
from payloads import make_payload, payload_for
from samples import SampleError, draw
from signatures import DEFAULT, Signature, Tensor, choose
from tests.loadtest.test_model_payload import DIGITS, MIXED, SCALAR, metadata
from tidegate_web.codec import oip_v2 as codec
from tidegate_web.codec.oip_request import parse_infer
from tidegate_web.prediction import Signature as Known
from tidegate_web.prediction import TensorSpec
from tidegate_web.serving.wire import from_tensor

KINDS = {
    "DT_FLOAT": np.float32, "DT_STRING": object, "DT_BOOL": np.bool_, "DT_UINT8": np.uint8, "DT_INT64": np.int64,
    "DT_INT32": np.int32,
}  # fmt: skip


def known(signature: Signature) -> Known:
    def specs(tensors: Mapping[str, Tensor]) -> dict[str, TensorSpec]:
        return {
            name: TensorSpec(np.dtype(KINDS[tensor.dtype]), tensor.shape, tensor.dtype)
            for name, tensor in tensors.items()
        }

    return Known(specs(signature.inputs), specs(signature.outputs))


def rows(signature: Signature, count: int):
    return [draw(signature, (), random.Random(seed)).inputs or {} for seed in range(count)]


@pytest.mark.parametrize(("signature", "count"), [(DIGITS, 3), (MIXED, 2), (SCALAR, 1)])
def test_the_gateway_reads_the_rows_that_were_written(signature, count):
    written = rows(signature, count)
    body = parse_infer(oip.body(signature, written).encode(), None)
    assert body.signature_name == signature.name
    for name, array in codec.tensors(body, known(signature)).items():
        sent = [row[name] for row in written] if signature.by_rows else written[0][name]
        if array.dtype == object:
            assert [item.decode() for item in array] == sent
        else:
            np.testing.assert_allclose(array.astype(float), sent, rtol=1e-6)


def test_the_gateways_answer_is_read_back_row_by_row():
    body = parse_infer(oip.body(MIXED, rows(MIXED, 2)).encode(), None)
    outputs = {"score": np.array([0.5, 2], np.float32), "said": np.array([b"a", b"b"], object)}
    document = json.loads(codec.encode(body, "m", 1, outputs).body)
    assert oip.rows_of(document, MIXED, 2) == [{"score": 0.5, "said": "a"}, {"score": 2, "said": "b"}]
    assert oip.rows_of(document, MIXED, 3) == "score: expected 3 rows, came [0.5, 2.0]"


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"error": "no"}, "expected JSON with outputs, came {'error': 'no'}"),
        ("no", "expected JSON with outputs"),
        ({"outputs": [{"name": "p", "shape": [2], "data": [1]}]}, "expected JSON with outputs"),
        ({"outputs": [{"name": "q", "shape": [1], "data": [1]}]}, "expected p, came q"),
        ({"outputs": []}, "expected p, came none"),
    ],
)
def test_what_is_no_answer_is_told_with_what_came(document, problem):
    assert str(oip.rows_of(document, DIGITS, 1)).startswith(problem)


@pytest.mark.parametrize("shape", [(), (3,), (2, 2), (2, 0)])
def test_lists_are_folded_as_they_were_unfolded(shape):
    value = np.arange(int(np.prod(shape))).reshape(shape).tolist()
    assert oip.nested(oip.flat(value), shape) == value


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("DT_FLOAT", [[0.5, -1.0], [2.0, 0.0]]),
        ("DT_DOUBLE", [1e300]),
        ("DT_INT64", [-(2**62), 5]),
        ("DT_INT8", [-128, 127]),
        ("DT_UINT8", [[0, 255]]),
        ("DT_UINT32", [2**32 - 1]),
        ("DT_UINT64", [2**64 - 1]),
        ("DT_BOOL", [True, False]),
        ("DT_STRING", ["a", "ü"]),
        ("DT_INT32", 7),
    ],
)
def test_a_tensor_is_what_the_gateway_reads_in_it_and_comes_back(dtype, value):
    tensor = encode(Tensor(dtype, None), value)
    assert decode(tensor) == value
    array = from_tensor(tensor)
    came = [item.decode() for item in array] if dtype == "DT_STRING" else array.tolist()
    assert came == value
    if dtype != "DT_STRING":  # as bytes, which is how servers answer
        content = np.array(value, array.dtype).tobytes()
        for field in {name for name, _ in FIELDS.values()}:
            tensor.ClearField(field)
        tensor.tensor_content = content
        assert decode(tensor) == value


def test_values_that_tensorflow_left_out_repeat_the_last():
    tensor = encode(Tensor("DT_FLOAT", None), [1.0, 2.0, 2.0, 2.0])
    del tensor.float_val[2:]
    assert decode(tensor) == [1, 2, 2, 2]


def test_a_type_that_is_not_carried_is_named():
    with pytest.raises(SampleError, match="DT_COMPLEX64, which the gRPC user cannot send"):
        encode(Tensor("DT_COMPLEX64", None), [1])


@pytest.mark.parametrize("model", ["and_gate", "digits", "work"])
def test_a_model_server_is_asked_directly_and_its_answers_are_right(model, model_server):
    client = GrpcClient(model_server.address, 10)
    try:
        signature = choose(client.signatures(model), DEFAULT)
        payload = payload_for(model, signature, ("k8s/base/cards",), seed=1, iterations=5)
        sent = payload.some(8, random.Random(1))
        found, version = client.predict(model, signature, [row.inputs for row in sent])
    finally:
        client.close()
    assert version == "1"
    assert not isinstance(found, str), found
    assert payload.wrong_rows(sent, found) == ""
    wrong = [row.expected for row in sent]
    assert wrong.count(None) < len(wrong), "some answers are known"


GATE = Signature(
    DEFAULT, {"inputs": Tensor("DT_FLOAT", (None, 2))}, {"probabilities": Tensor("DT_FLOAT", (None, 2))}
)  # fmt: skip
WORK = Signature(
    DEFAULT,
    {"seed": Tensor("DT_INT64", (None,)), "iterations": Tensor("DT_INT64", (None,))},
    {"checksum": Tensor("DT_INT64", (None,))},
)


@pytest.mark.parametrize(("model", "signature"), [("and_gate", GATE), ("work", WORK)])
def test_of_models_that_we_know_every_row_has_its_answer(model, signature):
    payload = make_payload(model, metadata(signature), (), seed=1, iterations=2)
    assert all(row.expected is not None for row in payload.pool)
    assert len({row.text for row in payload.pool}) > 5


def test_another_model_of_a_known_name_is_sent_what_fits_it():
    payload = make_payload("and_gate", metadata(DIGITS), (), seed=1)
    assert all(row.expected is None for row in payload.pool)
