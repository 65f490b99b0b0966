"""Bodies of the Open Inference Protocol as they come: read, but not yet held against a signature."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tidegate_web.codec import json_text, oip_binary
from tidegate_web.codec.values import describe
from tidegate_web.errors import BadInput, Problem
from tidegate_web.prediction import DEFAULT_SIGNATURE

MICROSECOND = 1e-6

LARGEST_COUNT = 2**53
"""The largest whole number up to which every JSON parser has them all."""

_NOT_SERVED = ("shared_memory_region", "classification")
"""Parameters of Triton's extensions that would change the answer, so that they cannot be passed over."""


@dataclass(frozen=True, slots=True)
class InferInput:
    """One input as it came.

    Attributes:
        name: Its name.
        where: Its path, for messages.
        datatype: The protocol's name of its type.
        shape: Sizes.
        data: Nested or flat lists; None where the elements are raw.
        raw: The elements as bytes, where they are.
    """

    name: str
    where: str
    datatype: str
    shape: tuple[int, ...]
    data: object
    raw: memoryview | None


@dataclass(frozen=True, slots=True)
class InferOutput:
    """One output that was asked for.

    Attributes:
        name: Its name.
        where: Its path, for messages.
        binary: Whether it is to be raw.
    """

    name: str
    where: str
    binary: bool


@dataclass(frozen=True, slots=True)
class InferBody:
    """A parsed body, not yet held against a signature.

    Attributes:
        request_id: What the client calls the request; the answer repeats it.
        signature_name: Which signature to ask.
        timeout_s: How long it may take; None where it is not said.
        inputs: The tensors.
        outputs: What was asked for; empty for all outputs.
        binary: Whether outputs are raw where nothing else is said.
    """

    request_id: str | None
    signature_name: str
    timeout_s: float | None
    inputs: tuple[InferInput, ...]
    outputs: tuple[InferOutput, ...]
    binary: bool


def parse_infer(body: bytes, json_size: str | None = None) -> InferBody:
    """Read a body of `infer`.

    Args:
        body: JSON, and raw tensors behind it.
        json_size: The header `Inference-Header-Content-Length`, where there are raw tensors.

    Raises:
        BadInput: Not JSON, not the protocol's object, raw bytes that belong to no tensor, or what of
            Triton's extensions is not served.
    """
    text, raw = oip_binary.split(body, json_size)
    document = _object(json_text.loads(text), "body")
    parameters = _parameters(document, "")
    binary = _member(parameters, "binary_data_output", "parameters.", _FLAG, default=False)
    timeout = _member(parameters, "timeout", "parameters.", _COUNT, default=0)
    return InferBody(
        request_id=_member(document, "id", "", _TEXT, default=None),
        signature_name=_member(parameters, "signature_name", "parameters.", _TEXT, default="") or DEFAULT_SIGNATURE,
        timeout_s=timeout * MICROSECOND if timeout else None,
        inputs=tuple(_inputs(document, raw)),
        outputs=tuple(_outputs(document, binary=binary)),
        binary=binary,
    )


def parse_index(body: bytes) -> bool:
    """Read a body of `repository/index`, which may be empty: whether only versions that are ready are asked for.

    Raises:
        BadInput: Neither empty nor an object whose `ready` is true or false.
    """
    if not body:
        return False
    return _member(_object(json_text.loads(body), "body"), "ready", "", _FLAG, default=False)


def _is_count(value: object) -> bool:
    """JSON knows no difference between 2 and 2.0."""
    whole = value.is_integer() if isinstance(value, float) else isinstance(value, int) and not isinstance(value, bool)
    return whole and 0 <= value <= LARGEST_COUNT  # type: ignore[operator]  # it is a number


Kind = tuple[str, Callable[[object], bool]]
"""What is expected, in words and as a test."""

_TEXT: Kind = ("a text", lambda value: isinstance(value, str))
_FLAG: Kind = ("true or false", lambda value: isinstance(value, bool))
_COUNT: Kind = ("a whole number from 0 to 2^53", _is_count)
_LIST: Kind = ("a list", lambda value: isinstance(value, list))


Default = TypeVar("Default")


def _member(document: Mapping[str, object], key: str, within: str, kind: Kind, *, default: Default) -> Default:
    """Return a member, or the default where it is missing or null, as some clients write what they leave out."""
    value = document.get(key)
    if value is None:
        return default
    expected, fits = kind
    if not fits(value):
        raise misfit(f"{within}{key}", expected, describe(value))
    return value  # type: ignore[return-value]  # its kind was tested


def _required(document: Mapping[str, object], key: str, within: str, kind: Kind) -> object:
    if document.get(key) is None:
        raise misfit(f"{within}{key}", kind[0], "null" if key in document else "nothing")
    return _member(document, key, within, kind, default=document[key])


def _object(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise misfit(where, "an object", describe(value))
    return value


def misfit(where: str, expected: str, came: str) -> BadInput:
    """Return the error of one thing wrong."""
    return BadInput(problems=(Problem(where, expected, came),))


def _parameters(document: Mapping[str, object], within: str) -> dict[str, object]:
    where = f"{within}parameters"
    parameters = _object({} if document.get("parameters") is None else document["parameters"], where)
    for name in _NOT_SERVED:
        if parameters.get(name) is not None:
            raise misfit(f"{where}.{name}", "none: this extension is not served here", describe(parameters[name]))
    return parameters


def _named_objects(document: Mapping[str, object], key: str) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Give name, path and object of each element of a list."""
    for index, element in enumerate(_member(document, key, "", _LIST, default=list[object]())):
        where = f"{key}[{index}]"
        tensor = _object(element, where)
        yield str(_required(tensor, "name", f"{where}.", _TEXT)), where, tensor


def _outputs(document: Mapping[str, object], *, binary: bool) -> Iterator[InferOutput]:
    for name, where, output in _named_objects(document, "outputs"):
        parameters = _parameters(output, f"{where}.")
        chosen = _member(parameters, "binary_data", f"{where}.parameters.", _FLAG, default=binary)
        yield InferOutput(name, where, chosen)


def _inputs(document: Mapping[str, object], raw: memoryview) -> Iterator[InferInput]:
    _required(document, "inputs", "", _LIST)
    offset = 0
    for name, where, tensor in _named_objects(document, "inputs"):
        size = _raw_size(tensor, where)
        if size is not None and size > len(raw) - offset:
            expected = f"at most the {len(raw) - offset} bytes that are left behind the JSON"
            raise misfit(f"{where}.parameters.binary_data_size", expected, str(size))
        yield InferInput(
            name=name,
            where=where,
            datatype=str(_required(tensor, "datatype", f"{where}.", _TEXT)),
            shape=_shape(tensor, where),
            data=_required(tensor, "data", f"{where}.", _LIST) if size is None else None,
            raw=None if size is None else raw[offset : offset + size],
        )
        offset += size or 0
    if offset != len(raw):
        raise misfit("body", f"{offset} bytes behind the JSON, as binary_data_size says", str(len(raw)))


def _raw_size(tensor: Mapping[str, object], where: str) -> int | None:
    parameters = _parameters(tensor, f"{where}.")
    given: float | None = _member(parameters, "binary_data_size", f"{where}.parameters.", _COUNT, default=None)
    size = None if given is None else int(given)
    if size is not None and tensor.get("data") is not None:
        raise misfit(where, 'one of "data" and the parameter binary_data_size', "both")
    return size


def _shape(tensor: Mapping[str, object], where: str) -> tuple[int, ...]:
    sizes = _required(tensor, "shape", f"{where}.", _LIST)
    expected, fits = _COUNT
    for index, size in enumerate(sizes):  # type: ignore[var-annotated, arg-type]  # _LIST was tested
        if not fits(size):
            raise misfit(f"{where}.shape[{index}]", expected, describe(size))
    return tuple(map(int, sizes))  # type: ignore[call-overload]  # the same
