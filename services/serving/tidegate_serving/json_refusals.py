"""What TF Serving says of a JSON body that it cannot use. Source: tensorflow_serving/util/json_tensor.cc.

The gateway's codec refuses such a body first, quickly and in words of its own; here it is gone through again for TF
Serving's words. All functions return where they find nothing that TF Serving would refuse.
"""

import math
from collections.abc import Mapping

from tidegate_serving.errors import CODES, InvalidArgument, Unimplemented
from tidegate_serving.json_elements import check_element, feature_kind, is_base64, kind_of, written
from tidegate_web.prediction import TensorSpec

Shape = tuple[int, ...]


def signature_name(document: Mapping[str, object]) -> str:
    """Return the signature that a body names, empty where it names none.

    Raises:
        InvalidArgument: It is no text.
    """
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise InvalidArgument(
            f"JSON Value: {written(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def check_inputs(document: Mapping[str, object], inputs: Mapping[str, TensorSpec]) -> None:
    """Hold a body of `:predict` against a signature's inputs.

    Raises:
        InvalidArgument: It does not fit.
        Unimplemented: An input's type is none that JSON can carry.
    """
    if not inputs:
        raise InvalidArgument(f"Failed to get input map for signature: {signature_name(document) or 'DEFAULT'}")
    if "instances" in document and "inputs" in document:
        raise InvalidArgument(
            f"JSON Value: {written(document)} Not formatted correctly expecting only one of 'inputs' or 'instances' "
            "keys to exist "
        )
    if "instances" in document:
        rows = document["instances"]
        if not isinstance(rows, list):
            raise InvalidArgument(f"JSON Value: {written(document)} Excepting 'instances' to be an list/array")
        if not rows:
            raise InvalidArgument(f"JSON Value: {written(document)} No values in 'instances' array")
        _check_rows(rows, inputs)
    elif "inputs" in document:
        _check_columns(document["inputs"], inputs)
    else:
        raise InvalidArgument("Missing 'inputs' or 'instances' key")


def check_examples(document: Mapping[str, object]) -> None:
    """Look through a body of `:classify` or `:regress`; TF Serving says classify for both.

    Raises:
        InvalidArgument: No examples, or one that is none.
    """
    if "context" in document:
        _check_example(document["context"])
    if "examples" not in document:
        raise InvalidArgument(
            f"JSON Value: {written(document)} When method is classify, key 'examples' is expected and was not found"
        )
    rows = document["examples"]
    if not isinstance(rows, list):
        raise InvalidArgument(f"JSON Value: {written(document)} Expecting 'examples' value to be an list/array")
    if not rows:
        raise InvalidArgument(f"JSON Value: {written(document)} 'examples' value is an empty array")
    for row in rows:
        _check_example(row)


def _check_rows(rows: list[object], inputs: Mapping[str, TensorSpec]) -> None:
    if not isinstance(rows[0], dict) and len(inputs) > 1:
        raise InvalidArgument(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    named = _is_named(rows[0])
    shapes: dict[str, Shape] = {}
    for index, row in enumerate(rows):
        if named != _is_named(row):
            wanted = "object but got list" if named else "value/list but got object"
            raise InvalidArgument(f"Expecting {wanted} at item {index} of input list")
        if isinstance(row, dict) and named:
            _check_named_row(index, row, inputs, shapes)
        else:
            (name,) = inputs
            _check_cell(f"element: {index}", name, row, inputs, shapes)


def _check_named_row(
    index: int, row: Mapping[str, object], inputs: Mapping[str, TensorSpec], shapes: dict[str, Shape]
) -> None:
    for name, value in row.items():
        _check_cell(f"element: {index} key: {name}", name, value, inputs, shapes)
    if row.keys() != inputs.keys():
        raise InvalidArgument(
            f"Failed to process element: {index} of 'instances' list. JSON object: {written(row)} keys must be equal "
            f"to: {','.join(sorted(inputs))}"
        )


def _check_cell(
    where: str, name: str, value: object, inputs: Mapping[str, TensorSpec], shapes: dict[str, Shape]
) -> None:
    """Check what a row has for an input, and say where it does not fit."""
    try:
        _check_like_first(name, value, inputs, shapes)
    except (InvalidArgument, Unimplemented) as error:
        text = f"{CODES[type(error)].name}: {error}"
        raise InvalidArgument(f"Failed to process {where} of 'instances' list. Error: {text}") from None


def _check_like_first(name: str, value: object, inputs: Mapping[str, TensorSpec], shapes: dict[str, Shape]) -> None:
    """Check a tensor; all rows have the shape of the first, which is noted."""
    if name not in inputs:
        raise InvalidArgument(f"JSON object: does not have named input: {name}")
    shape = _check_tensor(value, inputs[name])
    first = shapes.setdefault(name, shape)
    if math.prod(first) != math.prod(shape):
        raise InvalidArgument(f"Expecting tensor size: {math.prod(first)} but got: {math.prod(shape)}")
    if first != shape:
        raise InvalidArgument(f"Expecting shape {_sizes(first)} but got: {_sizes(shape)}")


def _check_columns(value: object, inputs: Mapping[str, TensorSpec]) -> None:
    if not (isinstance(value, dict) and _is_named(value)):
        if len(inputs) > 1:
            raise InvalidArgument(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        (spec,) = inputs.values()
        _check_tensor(value, spec)
        return
    for name, spec in inputs.items():
        if name not in value:
            raise InvalidArgument(f"Missing named input: {name} in 'inputs' object.")
        _check_tensor(value[name], spec)


def _is_named(value: object) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _sizes(shape: Shape) -> str:
    return f"[{','.join(map(str, shape))}]"


def _check_tensor(value: object, spec: TensorSpec) -> Shape:
    """Check nested lists; gives their shape, which the first of each level have."""
    shape: list[int] = []
    first = value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    _check_level(value, spec, tuple(shape), 0)
    return tuple(shape)


def _check_level(value: object, spec: TensorSpec, shape: Shape, level: int) -> None:
    rank = len(shape)
    if not isinstance(value, list):
        if level != rank:
            raise InvalidArgument(
                f"JSON Value: {written(value)} found at incorrect level: {level + 1} in the JSON DOM. Expected at "
                f"level: {rank}"
            )
        check_element(value, spec)
        return
    if level >= rank:
        raise InvalidArgument(f"Encountered list at unexpected level: {level} expected < {rank}")
    if len(value) != shape[level]:
        raise InvalidArgument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for item in value:
        _check_level(item, spec, shape, level + 1)


def _check_example(value: object) -> None:
    if not isinstance(value, dict):
        raise InvalidArgument(f"Example must be JSON object but got JSON {kind_of(value)}")
    for name, feature in value.items():
        kind = ""
        for element in feature if isinstance(feature, list) else [feature]:
            found = feature_kind(name, element)
            if kind and found != kind:
                raise InvalidArgument(f"Unexpected element type in feature: {name} expecting type: {kind}")
            kind = found
