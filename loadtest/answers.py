"""What a model answered: whether it has the form that the signature promises, its class, and whether that is right."""

import math
from collections.abc import Mapping, Sequence

from samples import FLOATS, WHOLE, fits, row_shape
from signatures import Signature, Tensor

ROUNDING = 1e-3
"""How far shares may be from adding up to 1; the form's own."""

TOLERANCE = 1e-3
"""How far, relative to the number, an answer may be from what was expected; the form's own."""


def rows_of(document: object, signature: Signature, count: int) -> list[object] | str:
    """Return what a model said of each row of a request; a text that says what came instead.

    Args:
        document: The answer's JSON.
        signature: Of the request.
        count: Rows that were sent.
    """
    key = signature.answer_key
    if not isinstance(document, dict) or key not in document:
        return f"expected JSON with {key}, came {str(document)[:80]}"
    said = document[key]
    if not signature.by_rows:
        return [said]
    if not isinstance(said, list) or len(said) != count:
        return f"expected {count} rows, came {str(said)[:80]}"
    return said


def outputs_of(answer: object, signature: Signature) -> Mapping[str, object] | None:
    """Return an answer by output; None where it has other outputs than the signature."""
    if len(signature.outputs) == 1:
        return dict.fromkeys(signature.outputs, answer)
    return answer if isinstance(answer, dict) and answer.keys() == signature.outputs.keys() else None


def malformed(answer: object, signature: Signature) -> str:
    """Say what an answer has that the signature does not promise, or that is not finite; empty when nothing is."""
    outputs = outputs_of(answer, signature)
    if outputs is None:
        return f"expected {', '.join(signature.outputs)}, came {str(answer)[:80]}"
    for name, tensor in signature.outputs.items():
        value = outputs[name]
        if not fits(value, row_shape(tensor) if signature.by_rows else tensor.shape):
            return f"{name}: expected {tensor}, came {str(value)[:80]}"
        if not _of_dtype(value, tensor):
            return f"{name}: expected finite {tensor.dtype}, came {str(value)[:80]}"
    return ""


def class_of(answer: object) -> int | None:
    """Return the index of the largest share of a distribution; None where an output is something else."""
    if not isinstance(answer, list) or len(answer) < 2 or not all(type(share) in {int, float} for share in answer):  # noqa: PLR2004 one class is no choice
        return None
    if not all(share >= 0 for share in answer) or not abs(sum(answer) - 1) < ROUNDING:
        return None
    return answer.index(max(answer))


def agrees(expected: object, answer: object, names: Sequence[str], best: int | None = None) -> bool | None:
    """Hold an answer against what is expected of it, as the form does.

    Args:
        expected: The index or name of a class where the answer is a distribution or has one among its outputs; else
            the numbers or the text.
        answer: A row's.
        names: Of classes.
        best: The answer's class, where it is known without all the shares.

    Returns:
        None where the two cannot be compared.
    """
    outputs = list(answer.values()) if isinstance(answer, dict) and answer.keys() != {"b64"} else [answer]
    if best is None:
        best = next((found for output in outputs if (found := class_of(output)) is not None), None)
    if best is not None:
        if not isinstance(expected, int | str) or isinstance(expected, bool):
            return None
        return expected in (best, names[best] if best < len(names) else best)
    if len(outputs) != 1 or expected is None:
        return None
    (output,) = outputs
    numbers, wanted = _numbers(output), _numbers(expected)
    if numbers is None or wanted is None:
        return output == expected if isinstance(expected, str) else None
    return len(numbers) == len(wanted) and all(map(close, numbers, wanted))


def close(one: float, other: float) -> bool:
    """Whether two numbers are the same but for rounding; NaN is like NaN."""
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _numbers(value: object) -> list[float] | None:
    """Flatten numbers; None where there is something else among them."""
    if isinstance(value, int | float):
        return [value]
    if not isinstance(value, list):
        return None
    flat: list[float] = []
    for item in value:
        numbers = _numbers(item)
        if numbers is None:
            return None
        flat += numbers
    return flat


def _of_dtype(value: object, tensor: Tensor) -> bool:
    if isinstance(value, list):
        return all(_of_dtype(item, tensor) for item in value)
    if tensor.dtype in FLOATS:
        return type(value) in {int, float} and math.isfinite(value)  # type: ignore[arg-type]
    if tensor.dtype in WHOLE:
        return type(value) is int
    return True
