"""A model server without a model, which answers at once: TF Serving's gRPC API and its REST predict.

    python stub_model_server.py GRPC_PORT REST_PORT

It knows `and_gate` (float32 [-1, 2]) and `image` (float32 [-1, 224, 224, 3]). Each row's answer follows from its first
and last number, so that a row lost or swapped on the way shows.
"""

import asyncio
import math
import re
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import grpc.aio
import numpy as np
import orjson
import uvloop

from tidegate_proto.model_status_pb2 import GetModelStatusRequest, GetModelStatusResponse, ModelVersionStatus
from tidegate_proto.prediction_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    PredictRequest,
    PredictResponse,
)
from tidegate_proto.services import GET_MODEL_METADATA, GET_MODEL_STATUS, PREDICT, register
from tidegate_proto.signature_pb2 import SignatureDef, SignatureDefMap, TensorInfo
from tidegate_proto.tensor_pb2 import DT_FLOAT, TensorShapeProto

SHAPES = {"and_gate": (2,), "image": (224, 224, 3)}
"""The shape of one row of each model."""

ON, OFF = (0.125, 0.875), (0.75, 0.25)
"""Shares of the two classes; float32 holds them exactly."""

ENDS, FLOAT_BYTES = 2, 4

SIGNATURE_TYPE = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0))


def shares(first: float, last: float) -> tuple[float, float]:
    """Answer one row."""
    return ON if first and last else OFF


@lru_cache(maxsize=1024)
def response(model: str, ends: bytes) -> PredictResponse:
    """Answer rows of which the first and last numbers are given, float32 [n, 2]."""
    rows = np.frombuffer(ends, "<f4").reshape(-1, 2)
    answer = PredictResponse()
    answer.model_spec.name, answer.model_spec.version.value = model, 1
    answer.model_spec.signature_name = "serving_default"
    tensor = answer.outputs["probabilities"]
    tensor.dtype = DT_FLOAT
    tensor.tensor_shape.CopyFrom(_shape((len(rows), 2)))
    for first, last in rows:
        tensor.float_val.extend(shares(first, last))
    return answer


async def predict(request: PredictRequest, _: object) -> PredictResponse:
    """Answer Predict; rows seen before cost a look-up."""
    tensor = request.inputs["inputs"]
    content = tensor.tensor_content or np.array(tensor.float_val, "<f4").tobytes()
    numbers = math.prod(SHAPES[request.model_spec.name])
    if len(content) != tensor.tensor_shape.dim[0].size * numbers * FLOAT_BYTES:
        raise ValueError(f"{len(content)} bytes do not fill the shape")
    if numbers > ENDS:
        content = np.frombuffer(content, "<f4").reshape(-1, numbers)[:, [0, -1]].tobytes()
    return response(request.model_spec.name, content)


async def metadata(request: GetModelMetadataRequest, _: object) -> GetModelMetadataResponse:
    """Answer GetModelMetadata."""
    signature = SignatureDef(method_name="tensorflow/serving/predict")
    signature.inputs["inputs"].CopyFrom(_info("inputs:0", SHAPES[request.model_spec.name]))
    signature.outputs["probabilities"].CopyFrom(_info("probabilities:0", (2,)))
    response = GetModelMetadataResponse(model_spec=request.model_spec)
    response.model_spec.version.value = 1
    response.metadata["signature_def"].type_url = SIGNATURE_TYPE
    signatures = SignatureDefMap(signature_def={"serving_default": signature})
    response.metadata["signature_def"].value = signatures.SerializeToString()
    return response


async def status(_request: GetModelStatusRequest, _: object) -> GetModelStatusResponse:
    """Answer GetModelStatus."""
    available = ModelVersionStatus(version=1, state=ModelVersionStatus.State.AVAILABLE)
    return GetModelStatusResponse(model_version_status=[available])


def _shape(sizes: Sequence[int]) -> TensorShapeProto:
    return TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in sizes])


def _info(name: str, row: Sequence[int]) -> TensorInfo:
    return TensorInfo(name=name, dtype=DT_FLOAT, tensor_shape=_shape((-1, *row)))


class RestPredict(asyncio.Protocol):
    """`POST /v1/models/…:predict` on a connection: no more of HTTP than `requests` sends."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where answers go."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer once the body is whole."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if not end or length is None or len(body) < int(length[1]):
            return
        self._received = b""
        rows = np.array(orjson.loads(body)["instances"], np.float32)
        answer = orjson.dumps({"predictions": [shares(row.flat[0], row.flat[-1]) for row in rows]})
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer)
        )


async def serve(grpc_port: int, rest_port: int) -> None:
    """Listen until ended."""
    server = grpc.aio.server(options=OPTIONS)
    register(server, {PREDICT: predict, GET_MODEL_METADATA: metadata, GET_MODEL_STATUS: status})
    server.add_insecure_port(f"127.0.0.1:{grpc_port}")
    await server.start()
    await asyncio.get_running_loop().create_server(RestPredict, "127.0.0.1", rest_port, backlog=1024)
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
