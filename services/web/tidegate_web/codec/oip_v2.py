"""Open Inference Protocol v2: what a request holds to tensors of a signature, and tensors to an answer's body."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from tidegate_web.codec import json_text, oip_binary
from tidegate_web.codec.oip_request import InferBody, InferInput, InferOutput, misfit
from tidegate_web.codec.values import describe, from_array, is_finite, to_array
from tidegate_web.errors import BackendFault
from tidegate_web.prediction import Array, Signature, TensorSpec

DATATYPES: dict[np.dtype[np.generic], str] = {
    np.dtype(np.bool_): "BOOL",
    np.dtype(np.uint8): "UINT8",
    np.dtype(np.uint16): "UINT16",
    np.dtype(np.uint32): "UINT32",
    np.dtype(np.uint64): "UINT64",
    np.dtype(np.int8): "INT8",
    np.dtype(np.int16): "INT16",
    np.dtype(np.int32): "INT32",
    np.dtype(np.int64): "INT64",
    np.dtype(np.float16): "FP16",
    np.dtype(np.float32): "FP32",
    np.dtype(np.float64): "FP64",
    np.dtype(object): "BYTES",
}
"""The protocol's names of the types that the gateway carries."""


def datatype(spec: TensorSpec) -> str:
    """Return the protocol's name of a tensor's type; TensorFlow's own where the gateway does not carry it."""
    return DATATYPES.get(spec.dtype, spec.wire_dtype.removeprefix("DT_"))


def tensors(body: InferBody, signature: Signature) -> dict[str, Array]:
    """Hold a body against a signature: an array for every input.

    Raises:
        BadInput: Missing or unknown inputs, one twice, another datatype or shape, or elements that do not fit.
    """
    inputs = _once(body.inputs)
    if inputs.keys() != signature.inputs.keys():
        raise misfit("inputs", f"tensors named {_names(signature.inputs)}", _names(inputs))
    return {name: _tensor(inputs[name], spec) for name, spec in signature.inputs.items()}


Named = TypeVar("Named", InferInput, InferOutput)


def _once(several: Sequence[Named]) -> dict[str, Named]:
    found: dict[str, Named] = {}
    for one in several:
        if one.name in found:
            raise misfit(f"{one.where}.name", "each name once", describe(one.name))
        found[one.name] = one
    return found


def _names(named: Mapping[str, object]) -> str:
    return ", ".join(name[:40] for name in sorted(named)[:10]) or "none"


def _tensor(tensor: InferInput, spec: TensorSpec) -> Array:
    expected = DATATYPES.get(spec.dtype, f"none: the gateway does not carry {datatype(spec)}")
    if tensor.datatype != expected:
        raise misfit(f"{tensor.where}.datatype", expected, describe(tensor.datatype))
    if not spec.accepts(tensor.shape):
        raise misfit(f"{tensor.where}.shape", str(spec), _sizes(tensor.shape))
    if tensor.raw is not None:
        flat = oip_binary.read(tensor.raw, spec.dtype, math.prod(tensor.shape), tensor.where)
    else:
        flat = _elements(tensor, spec)
    try:
        return flat.reshape(tensor.shape)
    except ValueError:  # no elements, and sizes or a rank beyond numpy's
        raise misfit(f"{tensor.where}.shape", "sizes that an array can have", _sizes(tensor.shape)) from None


def _sizes(shape: Sequence[int]) -> str:
    return f"[{', '.join(map(str, shape[:10]))}{', …' if len(shape) > 10 else ''}]"  # noqa: PLR2004 as many as are read


def _elements(tensor: InferInput, spec: TensorSpec) -> Array:
    """Read the lists of `data`, which are flat or nested as the shape says."""
    where = f"{tensor.where}.data"
    data = tensor.data
    nested = isinstance(data, list) and bool(data) and isinstance(data[0], list)
    array = to_array(data, TensorSpec(spec.dtype, tensor.shape if nested else (None,), spec.wire_dtype), where)
    if array.size != math.prod(tensor.shape):
        expected = f"{math.prod(tensor.shape)} elements, as the shape {_sizes(tensor.shape)} says"
        raise misfit(where, expected, str(array.size))
    return array


def wanted(body: InferBody, signature: Signature) -> tuple[str, ...]:
    """Return the names of the outputs that were asked for; empty for all.

    Raises:
        BadInput: The signature has no such output, or one is named twice.
    """
    names = _once(body.outputs)
    for name in names:
        if name not in signature.outputs:
            raise misfit("outputs", f"outputs among {_names(signature.outputs)}", describe(name))
    return tuple(names)


@dataclass(frozen=True, slots=True)
class InferAnswer:
    """The body of an answer.

    Attributes:
        body: JSON, and raw tensors behind it.
        json_size: How many bytes of it are JSON; None where all are.
    """

    body: bytes
    json_size: int | None


def encode(body: InferBody, model: str, version: int, outputs: Mapping[str, Array]) -> InferAnswer:
    """Write the answer to a body: the outputs that it asked for, in its order.

    Raises:
        BackendFault: The model did not give an output of its signature, or one of a type the protocol cannot name.
    """
    chosen = {output.name: output.binary for output in body.outputs} or dict.fromkeys(outputs, body.binary)
    raw: list[bytes] = []
    tensors: list[dict[str, object]] = []
    finite = all(is_finite(array) for array in outputs.values())
    for name, binary in chosen.items():
        array = outputs.get(name)
        if array is None or array.dtype not in DATATYPES:
            raise BackendFault(f"The model's answer has no output {name} that can be written")
        tensor = {"name": name, "datatype": DATATYPES[array.dtype], "shape": list(array.shape)}
        if binary:
            raw.append(oip_binary.write(array))
            tensors.append({**tensor, "parameters": {"binary_data_size": len(raw[-1])}})
        else:
            # Without its name, by which TF Serving's API decides how to write bytes
            tensors.append({**tensor, "data": from_array(array.ravel(), "", plain=not finite)})
    answer: dict[str, object] = {"model_name": model, "model_version": str(version), "outputs": tensors}
    if body.request_id is not None:
        answer = {"id": body.request_id, **answer}
    text = json_text.dumps(answer, finite=finite)
    return InferAnswer(b"".join((text, *raw)), len(text) if raw else None)
