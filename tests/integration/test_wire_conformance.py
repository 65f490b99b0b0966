"""Our messages are TF Serving's on the wire: the official client is the oracle, in a process of its own."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from tests.tools import lacking
from tidegate_proto import (
    example_pb2,
    inference_pb2,
    model_management_pb2,
    model_status_pb2,
    prediction_log_pb2,
    prediction_pb2,
    server_config_pb2,
    signature_pb2,
    tensor_pb2,
)
from tidegate_proto.services import (
    CLASSIFY,
    GET_MODEL_METADATA,
    GET_MODEL_STATUS,
    HANDLE_RELOAD_CONFIG_REQUEST,
    MULTI_INFERENCE,
    PREDICT,
    REGRESS,
)

ORACLE = Path(__file__).with_name("wire_oracle.py")
FILES = (
    tensor_pb2, signature_pb2, prediction_pb2, example_pb2, inference_pb2, model_status_pb2, server_config_pb2,
    model_management_pb2, prediction_log_pb2,
)  # fmt: skip


@pytest.fixture(autouse=True)
def official_client() -> None:
    if importlib.util.find_spec("tensorflow_serving") is None:
        lacking("tensorflow-serving-api is not installed: make test installs it")


def oracle(*arguments: str, sent: bytes = b"") -> bytes:
    done = subprocess.run(
        [sys.executable, ORACLE, *arguments], input=sent, capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@cache
def official() -> dict[str, Any]:
    description: dict[str, Any] = json.loads(oracle("describe"))
    return description


def ours(descriptors: Iterator[Descriptor], prefix: str = "") -> Iterator[tuple[str, Descriptor]]:
    for descriptor in descriptors:
        if descriptor.GetOptions().map_entry:
            continue
        yield prefix + descriptor.name, descriptor
        yield from ours(iter(descriptor.nested_types), f"{prefix}{descriptor.name}.")


NOT_IN_THE_CLIENT = {"PrometheusConfig", "MonitoringConfig", "BatchingParameters", "SSLConfig"}
"""Their files are not in the client's package; the production image reads them, which nobody here can run."""

MESSAGES = {
    name: descriptor
    for file in FILES
    for name, descriptor in ours(iter(file.DESCRIPTOR.message_types_by_name.values()))
    if name not in NOT_IN_THE_CLIENT
}


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_every_field_has_the_official_number_type_and_label(name):
    theirs = official()["messages"][name]
    for field in MESSAGES[name].fields:
        oneof = field.containing_oneof.name if field.containing_oneof else None
        number, kind, repeated, their_oneof = theirs[field.name]
        assert (field.number, field.is_repeated) == (number, repeated)
        assert (field.type == kind) or {field.type, kind} == {field.TYPE_ENUM, field.TYPE_INT32}
        # TensorInfo's and ModelConfig's oneofs hold members that we leave out; a lone member is the same on the wire
        assert oneof in {their_oneof, None}


@pytest.mark.parametrize(
    "method",
    [
        PREDICT,
        CLASSIFY,
        REGRESS,
        MULTI_INFERENCE,
        GET_MODEL_METADATA,
        GET_MODEL_STATUS,
        HANDLE_RELOAD_CONFIG_REQUEST,
    ],
    ids=lambda method: method.name,
)
def test_method_paths_are_the_official_ones(method):
    assert method.name in official()["services"][method.service]


def spec() -> prediction_pb2.ModelSpec:
    message = prediction_pb2.ModelSpec(name="and_gate", signature_name="serving_default")
    message.version.value = 3
    return message


def tensors() -> Iterator[tensor_pb2.TensorProto]:
    shape = tensor_pb2.TensorShapeProto(dim=[tensor_pb2.TensorShapeProto.Dim(size=1, name="rows")])
    values: dict[str, list[Any]] = {
        "float_val": [0.5], "double_val": [0.25], "int_val": [-3], "string_val": [b"\xff"], "int64_val": [-(2**62)],
        "bool_val": [True], "half_val": [15360], "uint32_val": [2**32 - 1], "uint64_val": [2**64 - 1],
        "scomplex_val": [0.5, -0.5], "dcomplex_val": [0.25, -0.25],
    }  # fmt: skip
    for field, value in values.items():
        tensor = tensor_pb2.TensorProto(dtype=tensor_pb2.DT_FLOAT, tensor_shape=shape)
        getattr(tensor, field).extend(value)
        yield tensor
    yield tensor_pb2.TensorProto(dtype=tensor_pb2.DT_HALF, tensor_shape=shape, tensor_content=b"\0<")


def inferences() -> Iterator[Message]:
    row = example_pb2.Example()
    row.features.feature["bytes"].bytes_list.value.extend([b"\xff", b""])
    row.features.feature["floats"].float_list.value.extend([0.5, -1.5])
    row.features.feature["int64s"].int64_list.value.extend([-(2**63), 2**63 - 1])
    row.features.feature["nothing"].SetInParent()
    shared = inference_pb2.ExampleListWithContext(examples=[row, row], context=row)
    yield inference_pb2.ClassificationRequest(
        model_spec=spec(), input=inference_pb2.Input(example_list_with_context=shared)
    )
    alone = inference_pb2.ExampleList(examples=[row])
    yield inference_pb2.RegressionRequest(model_spec=spec(), input=inference_pb2.Input(example_list=alone))
    classes = inference_pb2.Classifications(classes=[inference_pb2.Class(label="käfer", score=0.5)])
    yield inference_pb2.ClassificationResponse(
        model_spec=spec(), result=inference_pb2.ClassificationResult(classifications=[classes])
    )
    values = inference_pb2.RegressionResult(regressions=[inference_pb2.Regression(value=-0.5)])
    yield inference_pb2.RegressionResponse(model_spec=spec(), result=values)
    tasks = [inference_pb2.InferenceTask(model_spec=spec(), method_name="tensorflow/serving/regress")]
    several = inference_pb2.MultiInferenceRequest(tasks=tasks, input=inference_pb2.Input(example_list=alone))
    yield several
    yield inference_pb2.MultiInferenceResponse(
        results=[inference_pb2.InferenceResult(model_spec=spec(), regression_result=values)]
    )
    yield prediction_log_pb2.PredictionLog(multi_inference_log=prediction_log_pb2.MultiInferenceLog(request=several))
    config = server_config_pb2.ModelConfig(name="gate", base_path="/models/gate", version_labels={"stable": 3})
    models = server_config_pb2.ModelServerConfig(model_config_list=server_config_pb2.ModelConfigList(config=[config]))
    yield model_management_pb2.ReloadConfigRequest(config=models, metric_names=["x"])
    yield model_management_pb2.ReloadConfigResponse(
        status=model_status_pb2.StatusProto(error_code=3), metric=[model_management_pb2.Metric(name="x")]
    )


def examples() -> Iterator[Message]:
    request = prediction_pb2.PredictRequest(model_spec=spec(), output_filter=["probabilities"])
    response = prediction_pb2.PredictResponse(model_spec=spec())
    for number, tensor in enumerate(tensors()):
        request.inputs[f"x{number}"].CopyFrom(tensor)
        response.outputs[f"y{number}"].CopyFrom(tensor)
    yield request
    yield response
    yield from inferences()
    yield prediction_pb2.GetModelMetadataRequest(model_spec=spec(), metadata_field=["signature_def"])
    status = model_status_pb2.ModelVersionStatus(version=3, state=model_status_pb2.ModelVersionStatus.AVAILABLE)
    status.status.error_code = 5
    status.status.error_message = "gone"
    yield model_status_pb2.GetModelStatusResponse(model_version_status=[status])
    info = signature_pb2.TensorInfo(name="x:0", dtype=tensor_pb2.DT_FLOAT)
    info.tensor_shape.dim.add(size=-1)
    definition = signature_pb2.SignatureDef(inputs={"x": info}, outputs={"y": info}, method_name="predict")
    yield signature_pb2.SignatureDefMap(signature_def={"serving_default": definition})


@pytest.mark.parametrize("message", list(examples()), ids=lambda message: message.DESCRIPTOR.name)
def test_bytes_survive_the_official_reader_and_writer(message):
    there = message.SerializeToString(deterministic=True)
    back = oracle("echo", message.DESCRIPTOR.name, sent=there)
    assert type(message).FromString(back) == message
