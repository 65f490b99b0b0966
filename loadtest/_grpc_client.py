"""TF Serving's gRPC API as a user needs it: a model's signature, and predictions in and out of plain lists.

The underscore keeps Locust from importing this where there is no gRPC.
"""

from __future__ import annotations

import struct
from math import prod
from typing import TYPE_CHECKING, Any, cast

import grpc

import oip
from samples import SampleError
from signatures import PREDICT as PREDICT_METHOD
from signatures import Signature, Tensor
from tidegate_proto.prediction_pb2 import GetModelMetadataRequest, PredictRequest
from tidegate_proto.services import GET_MODEL_METADATA, PREDICT
from tidegate_proto.signature_pb2 import SignatureDefMap
from tidegate_proto.tensor_pb2 import DataType, TensorProto

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FIELDS = {
    "DT_FLOAT": ("float_val", "f"),
    "DT_DOUBLE": ("double_val", "d"),
    "DT_INT64": ("int64_val", "q"),
    "DT_INT32": ("int_val", "i"),
    "DT_INT16": ("int_val", "h"),
    "DT_INT8": ("int_val", "b"),
    "DT_UINT8": ("int_val", "B"),
    "DT_UINT16": ("int_val", "H"),
    "DT_UINT32": ("uint32_val", "I"),
    "DT_UINT64": ("uint64_val", "Q"),
    "DT_BOOL": ("bool_val", "?"),
    "DT_STRING": ("string_val", ""),
}
"""Where a tensor's numbers stand one by one, and how `struct` calls them where they stand as bytes."""

OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own for each user
    ("grpc.lb_policy_name", "round_robin"),  # over all addresses of a headless Service
)


class GrpcClient:
    """A connection to a model server.

    Args:
        address: host:port.
        timeout_s: Of each call.
    """

    def __init__(self, address: str, timeout_s: float) -> None:
        self._channel = grpc.insecure_channel(address, options=OPTIONS)
        channel = cast("Any", self._channel)  # the stubs are typed for asyncio and take this one as well
        self._predict: Any = PREDICT.stub(channel)
        self._metadata: Any = GET_MODEL_METADATA.stub(channel)
        self._timeout_s = timeout_s

    def signatures(self, model: str) -> dict[str, Signature]:
        """Ask for a model's signatures that predict.

        Raises:
            grpc.RpcError: As the server says.
        """
        request = GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = model
        answer = self._metadata(request, timeout=self._timeout_s)
        found = SignatureDefMap.FromString(answer.metadata["signature_def"].value)  # Unpack minds the package's name
        return {
            name: Signature(name, _tensors(entry.inputs), _tensors(entry.outputs))
            for name, entry in found.signature_def.items()
            if entry.method_name == PREDICT_METHOD
        }

    def predict(
        self, model: str, signature: Signature, rows: Sequence[Mapping[str, object]]
    ) -> tuple[list[object] | str, str]:
        """Ask for a prediction.

        Args:
            model: Its name.
            signature: Which to ask.
            rows: Values by input.

        Returns:
            What the model said of each row, or a text that says what came instead; and the model's version.

        Raises:
            grpc.RpcError: As the server says.
            SampleError: An input's dtype is not carried here.
        """
        request = PredictRequest()
        request.model_spec.name = model
        request.model_spec.signature_name = signature.name
        for name, tensor in signature.inputs.items():
            request.inputs[name].CopyFrom(encode(tensor, oip.column(signature, tensor, rows, name)))
        reply = self._predict(request, timeout=self._timeout_s)
        outputs = {name: decode(output) for name, output in reply.outputs.items()}
        return oip.split(outputs, signature, len(rows)), str(reply.model_spec.version.value)

    def close(self) -> None:
        """Give up the connection."""
        self._channel.close()


def encode(tensor: Tensor, value: object) -> TensorProto:
    """Write nested lists into a TensorProto.

    Raises:
        SampleError: The dtype is not carried here.
    """
    if tensor.dtype not in FIELDS:
        raise SampleError(f"an input is of type {tensor.dtype}, which the gRPC user cannot send")
    found = TensorProto(dtype=tensor.dtype)
    for size in oip.shape_of(value):
        found.tensor_shape.dim.add(size=size)
    flat: list[Any] = oip.flat(value)
    getattr(found, FIELDS[tensor.dtype][0]).extend(
        [str(item).encode() for item in flat] if tensor.dtype == "DT_STRING" else flat
    )
    return found


def decode(tensor: TensorProto) -> object:
    """Read a TensorProto into nested lists; bytes become text.

    Raises:
        SampleError: The dtype is not carried here.
    """
    dtype = DataType.Name(tensor.dtype)
    if dtype not in FIELDS:
        raise SampleError(f"an output is of type {dtype}, which the gRPC user cannot read")
    field, code = FIELDS[dtype]
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.tensor_content:
        flat = list(struct.unpack(f"<{prod(shape)}{code}", tensor.tensor_content))
    else:
        flat = list(getattr(tensor, field))
        flat += flat[-1:] * (prod(shape) - len(flat))  # TensorFlow leaves out repetitions of the last one
    return oip.nested([item.decode(errors="replace") if isinstance(item, bytes) else item for item in flat], shape)


def _tensors(document: Mapping[str, Any]) -> dict[str, Tensor]:
    return {
        name: Tensor(
            DataType.Name(entry.dtype),
            None
            if entry.tensor_shape.unknown_rank
            else tuple(None if dim.size < 0 else dim.size for dim in entry.tensor_shape.dim),
        )
        for name, entry in document.items()
    }
