"""Domain objects to TF Serving's messages and back."""

import numpy as np

from tidegate_proto.model_status_pb2 import GetModelStatusResponse, ModelVersionStatus
from tidegate_proto.prediction_pb2 import GetModelMetadataResponse, ModelSpec, PredictRequest
from tidegate_proto.signature_pb2 import SignatureDef, SignatureDefMap
from tidegate_proto.signature_pb2 import TensorInfo as TensorInfoProto
from tidegate_proto.tensor_json import tensor_json
from tidegate_proto.tensor_pb2 import DataType, TensorProto
from tidegate_web.errors import BackendFault
from tidegate_web.prediction import (
    UNCARRIED,
    Array,
    ModelMetadata,
    ModelRef,
    Prediction,
    Signature,
    TensorSpec,
    VersionStatus,
)
from tidegate_web.serving import bfloat16

_STRING = np.dtype(object)

_DTYPES: dict[DataType, np.dtype[np.generic]] = {
    DataType.DT_FLOAT: np.dtype(np.float32),
    DataType.DT_DOUBLE: np.dtype(np.float64),
    DataType.DT_INT32: np.dtype(np.int32),
    DataType.DT_UINT8: np.dtype(np.uint8),
    DataType.DT_INT16: np.dtype(np.int16),
    DataType.DT_INT8: np.dtype(np.int8),
    DataType.DT_STRING: _STRING,
    DataType.DT_INT64: np.dtype(np.int64),
    DataType.DT_BOOL: np.dtype(np.bool_),
    DataType.DT_BFLOAT16: np.dtype(np.float32),  # numpy has none of its own
    DataType.DT_UINT16: np.dtype(np.uint16),
    DataType.DT_HALF: np.dtype(np.float16),
    DataType.DT_UINT32: np.dtype(np.uint32),
    DataType.DT_UINT64: np.dtype(np.uint64),
}
_DATA_TYPES = {dtype: number for number, dtype in _DTYPES.items() if number != DataType.DT_BFLOAT16}

_VALUE_FIELDS = {
    DataType.DT_FLOAT: "float_val",
    DataType.DT_DOUBLE: "double_val",
    DataType.DT_INT64: "int64_val",
    DataType.DT_BOOL: "bool_val",
    DataType.DT_UINT32: "uint32_val",
    DataType.DT_UINT64: "uint64_val",
    DataType.DT_STRING: "string_val",
    DataType.DT_HALF: "half_val",
    DataType.DT_BFLOAT16: "half_val",
}
"""Where TensorProto keeps elements of a type; every other type is in `int_val`."""

_GRPC_CODES = {
    0: "OK", 1: "CANCELLED", 2: "UNKNOWN", 3: "INVALID_ARGUMENT", 4: "DEADLINE_EXCEEDED", 5: "NOT_FOUND",
    6: "ALREADY_EXISTS", 7: "PERMISSION_DENIED", 8: "RESOURCE_EXHAUSTED", 9: "FAILED_PRECONDITION", 10: "ABORTED",
    11: "OUT_OF_RANGE", 12: "UNIMPLEMENTED", 13: "INTERNAL", 14: "UNAVAILABLE", 15: "DATA_LOSS",
    16: "UNAUTHENTICATED",
}  # fmt: skip
"""google.rpc.Code, as TF Serving's status JSON names them."""


def to_spec(model: ModelRef, signature: str = "") -> ModelSpec:
    """Name a model, a version or label of it, and a signature."""
    spec = ModelSpec(name=model.name, signature_name=signature)
    if model.version is not None:
        spec.version.value = model.version
    elif model.label is not None:
        spec.version_label = model.label
    return spec


def to_request(prediction: Prediction) -> PredictRequest:
    """Write a Prediction as a Predict request."""
    spec = to_spec(prediction.model, prediction.signature)
    request = PredictRequest(model_spec=spec, output_filter=prediction.wanted)
    for name, array in prediction.inputs.items():
        fill_tensor(request.inputs[name], array, prediction.wire_dtypes.get(name, ""))
    return request


def fill_tensor(tensor: TensorProto, array: Array, wire_dtype: str = "") -> None:
    """Write an array into an empty TensorProto, as raw little-endian bytes (`string_val` for strings).

    Args:
        tensor: What to fill.
        array: Its elements.
        wire_dtype: TensorFlow's type where the array's own does not tell it: DT_BFLOAT16 for float32.
    """
    tensor.dtype = DataType.DT_BFLOAT16 if wire_dtype == "DT_BFLOAT16" else _DATA_TYPES[array.dtype]
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    if array.dtype == _STRING:
        tensor.string_val.extend(array.ravel().tolist())
    elif tensor.dtype == DataType.DT_BFLOAT16:
        words = bfloat16.narrow(array.astype(np.float32, copy=False))
        tensor.tensor_content = words.astype("<u2", copy=False).tobytes()
    else:
        tensor.tensor_content = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def from_tensor(tensor: TensorProto) -> Array:
    """Read a TensorProto, whether its elements are raw bytes or typed values (the last one repeats).

    Raises:
        BackendFault: A dtype that the gateway does not carry, or elements that do not fill the shape.
    """
    try:
        dtype = _DTYPES[tensor.dtype]
        shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
        if tensor.tensor_content:
            return _from_bytes(tensor.tensor_content, tensor.dtype).reshape(shape)
        values = getattr(tensor, _VALUE_FIELDS.get(tensor.dtype, "int_val"))
        if tensor.dtype == DataType.DT_HALF:
            elements: Array = np.array(values, np.uint16).view(np.float16)
        elif tensor.dtype == DataType.DT_BFLOAT16:
            elements = bfloat16.widen(np.array(values, np.uint16))
        else:
            elements = np.array(values, dtype)
        missing = int(np.prod(shape)) - elements.size
        if missing > 0 and elements.size:
            elements = np.concatenate([elements, np.repeat(elements[-1:], missing)])
        return elements.reshape(shape)
    except (KeyError, ValueError) as error:
        raise BackendFault(f"The model's answer holds a tensor that cannot be read: {error}") from None


def _from_bytes(content: bytes, number: DataType) -> Array:
    if number == DataType.DT_BFLOAT16:
        return bfloat16.widen(np.frombuffer(content, "<u2"))
    return np.frombuffer(content, _DTYPES[number].newbyteorder("<"))


def _tensor_spec(info: TensorInfoProto) -> TensorSpec:
    wire_dtype = DataType.Name(info.dtype) if info.dtype in DataType.values() else str(info.dtype)
    dtype = _DTYPES.get(info.dtype, UNCARRIED)
    if info.tensor_shape.unknown_rank:
        return TensorSpec(dtype, None, wire_dtype, info.name)
    shape = tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim)
    return TensorSpec(dtype, shape, wire_dtype, info.name)


def _signature(signature: SignatureDef) -> Signature:
    return Signature(
        inputs={name: _tensor_spec(info) for name, info in sorted(signature.inputs.items())},
        outputs={name: _tensor_spec(info) for name, info in sorted(signature.outputs.items())},
        method=signature.method_name,
        defaults={name: tensor_json(tensor) for name, tensor in sorted(signature.defaults.items())},
    )


INIT_SIGNATURE = "__saved_model_init_op"
"""TensorFlow keeps the initialiser among the signatures; nobody can call it."""


def from_metadata(response: GetModelMetadataResponse) -> ModelMetadata:
    """Read the signatures out of a GetModelMetadata answer."""
    signatures = SignatureDefMap.FromString(response.metadata["signature_def"].value).signature_def
    return ModelMetadata(
        name=response.model_spec.name,
        version=response.model_spec.version.value,
        signatures={
            name: _signature(signature) for name, signature in sorted(signatures.items()) if name != INIT_SIGNATURE
        },
    )


def from_status(response: GetModelStatusResponse) -> list[VersionStatus]:
    """Read a GetModelStatus answer, newest version first."""
    return [
        VersionStatus(
            version=status.version,
            state=ModelVersionStatus.State.Name(status.state),
            error_code=_GRPC_CODES.get(status.status.error_code, str(status.status.error_code)),
            error_message=status.status.error_message,
        )
        for status in sorted(response.model_version_status, key=lambda status: -status.version)
    ]
