"""Triton's own client and schemathesis against the gateway in front of a real model server."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
ROWS = np.array([[1, 1], [0, 5], [3, 4]], np.float32)
CLASSES = [1, 0, 1]


@pytest.fixture(scope="module")
def gateway(start_gateway_process: Any, model_server: Any) -> Any:
    return start_gateway_process(TIDEGATE_BACKENDS=f"static:{model_server.address}")


@pytest.fixture
def client(gateway: Any) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(gateway.address, connection_timeout=20, network_timeout=20) as client:
        yield client


def rows(*, binary: bool, values: Any = ROWS) -> list[InferInput]:
    tensor = InferInput("inputs", list(values.shape), "FP32")
    return [tensor.set_data_from_numpy(values, binary_data=binary)]


def test_triton_client_reads_health_and_metadata(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("and_gate")
    assert client.is_model_ready("and_gate", "1")
    assert not client.is_model_ready("and_gate", "2")
    assert not client.is_model_ready("nix")
    assert client.get_server_metadata()["name"] == "tidegate"
    metadata = client.get_model_metadata("and_gate")
    assert metadata["versions"] == ["1"]
    assert metadata["inputs"] == [{"name": "inputs", "datatype": "FP32", "shape": [-1, 2]}]
    assert client.get_model_repository_index() == [{"name": "and_gate", "version": "1", "state": "READY", "reason": ""}]


@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
@pytest.mark.parametrize("binary_outputs", [False, True])
@pytest.mark.parametrize("binary_inputs", [False, True])
def test_triton_client_infers_in_json_and_in_raw_bytes(client, binary_inputs, binary_outputs, compression):
    result = client.infer(
        "and_gate",
        rows(binary=binary_inputs),
        model_version="1",
        outputs=[InferRequestedOutput("probabilities", binary_data=binary_outputs)],
        request_id="mine",
        priority=1,
        timeout=5_000_000,
        sequence_id=7,
        sequence_start=True,
        parameters={"anything": "goes"},
        request_compression_algorithm=compression,
        response_compression_algorithm=compression,
    )
    assert (result.get_response()["id"], result.get_response()["model_version"]) == ("mine", "1")
    assert result.as_numpy("probabilities").argmax(axis=1).tolist() == CLASSES


def test_triton_client_infers_by_its_defaults(client):
    result = client.infer("and_gate", rows(binary=True))
    assert result.as_numpy("probabilities").dtype == np.float32
    assert result.as_numpy("probabilities").argmax(axis=1).tolist() == CLASSES


def test_a_long_answer_comes_compressed(client):
    many = np.tile(ROWS, (500, 1))
    answers = [
        client.infer("and_gate", rows(binary=True, values=many), response_compression_algorithm=coding)
        for coding in (None, "gzip", "deflate")
    ]
    plain, *compressed = [answer.as_numpy("probabilities") for answer in answers]
    assert plain.argmax(axis=1).tolist() == CLASSES * 500
    for answer in compressed:
        np.testing.assert_array_equal(answer, plain)


def test_not_a_number_reaches_the_model_and_comes_back(client):
    nan = np.full((1, 2), np.nan, np.float32)
    outputs = [InferRequestedOutput("probabilities", binary_data=False)]
    result = client.infer("and_gate", rows(binary=False, values=nan), outputs=outputs)
    assert np.isnan(result.as_numpy("probabilities")).all()


@pytest.mark.parametrize(
    ("model", "version", "tensor", "status", "said"),
    [
        ("nix", "", "inputs", "404", "nix"),
        ("and_gate", "9", "inputs", "404", "and_gate"),
        ("and_gate", "", "wrong", "400", "inputs: expected tensors named inputs, came wrong"),
    ],
)
def test_triton_client_reads_our_errors(client, model, version, tensor, status, said):
    wrong = InferInput(tensor, [3, 2], "FP32").set_data_from_numpy(ROWS)
    with pytest.raises(InferenceServerException) as failed:
        client.infer(model, [wrong], model_version=version)
    assert failed.value.status() == status
    assert said in failed.value.message()


def test_schemathesis_finds_nothing_in_front_of_a_real_model(gateway, tmp_path):
    url = f"http://{gateway.address}/openapi.json"
    command = [str(SCHEMATHESIS), "run", url, "--max-examples=5", "--seed=2", "--no-color"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stdout[-5000:]
