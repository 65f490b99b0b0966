"""Classify and Regress: signatures whose one input is serialised examples. Rules, texts and codes are TF Serving's.

Source: tensorflow_serving/servables/tensorflow/{classifier,regressor,util}.cc.
"""

from collections.abc import Mapping

import numpy as np

from tidegate_proto.inference_pb2 import (
    Class,
    ClassificationResult,
    Classifications,
    Input,
    Regression,
    RegressionResult,
)
from tidegate_proto.signature_pb2 import SignatureDef
from tidegate_proto.tensor_pb2 import DataType
from tidegate_serving.errors import FailedPrecondition, InvalidArgument
from tidegate_serving.savedmodel import SavedModel
from tidegate_serving.tensors import Array

CLASSIFY_METHOD = "tensorflow/serving/classify"
REGRESS_METHOD = "tensorflow/serving/regress"
INPUTS = "inputs"
CLASSES = "classes"
SCORES = "scores"
OUTPUTS = "outputs"


def classify(model: SavedModel, name: str, rows: Input) -> ClassificationResult:
    """Run a classify signature.

    Args:
        model: Whose signature it is.
        name: The signature's.
        rows: The examples.

    Raises:
        InvalidArgument: No such signature, one of another method, no examples, or outputs that are no classes.
        FailedPrecondition: The signature lacks what its method asks for.
        tf.errors.OpError: The graph failed.
    """
    signature = _signature(model, name, "classification", CLASSIFY_METHOD)
    if len(signature.inputs) != 1:
        raise InvalidArgument("Expected one input Tensor.")
    if len(signature.outputs) not in {1, 2}:
        raise InvalidArgument(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if INPUTS not in signature.inputs:
        raise FailedPrecondition(f"No classification inputs found in SignatureDef: {signature}")
    wanted = tuple(output for output in (CLASSES, SCORES) if output in signature.outputs)
    if not wanted:
        raise FailedPrecondition(
            f'Expected classification signature outputs to contain at least one of "{CLASSES}" or "{SCORES}". '
            f"Signature was: {signature}"
        )
    examples = serialized(rows)
    outputs = model.predict(name, {INPUTS: examples}, wanted)
    for output, dtype in ((CLASSES, DataType.DT_STRING), (SCORES, DataType.DT_FLOAT)):
        if output in outputs:
            _check_matrix(outputs[output], output, signature.outputs[output].dtype, dtype, len(examples))
    return _classes(outputs)


def regress(model: SavedModel, name: str, rows: Input) -> RegressionResult:
    """Run a regress signature; arguments and errors as of `classify`."""
    signature = _signature(model, name, "regression", REGRESS_METHOD)
    if len(signature.inputs) != 1:
        raise InvalidArgument("Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise InvalidArgument("Expected one output Tensor.")
    if INPUTS not in signature.inputs:
        raise FailedPrecondition(f"No regression inputs found in SignatureDef: {signature}")
    if OUTPUTS not in signature.outputs:
        raise FailedPrecondition(f"No regression outputs found in SignatureDef: {signature}")
    examples = serialized(rows)
    values = model.predict(name, {INPUTS: examples})[OUTPUTS]
    if not (values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)):  # noqa: PLR2004 a column
        raise InvalidArgument(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape(values)}"
        )
    if len(values) != len(examples):
        raise InvalidArgument(f"Input batch size did not match output batch size: {len(examples)} vs. {len(values)}")
    if signature.outputs[OUTPUTS].dtype != DataType.DT_FLOAT:
        raise InvalidArgument(f"Expected output Tensor of DT_FLOAT.  Got: {_type(signature.outputs[OUTPUTS].dtype)}")
    return RegressionResult(regressions=[Regression(value=value) for value in values.reshape(-1).tolist()])


def serialized(rows: Input) -> Array:
    """Return each example as bytes, the shared context's features before its own: the later ones win.

    Raises:
        InvalidArgument: There are none.
    """
    context = b""
    if rows.WhichOneof("kind") == "example_list_with_context":
        context = rows.example_list_with_context.context.SerializeToString()
        examples = rows.example_list_with_context.examples
    else:
        examples = rows.example_list.examples
    if not examples:
        raise InvalidArgument("Input is empty.")
    found = np.empty(len(examples), dtype=object)
    found[:] = [context + example.SerializeToString() for example in examples]
    return found


def _signature(model: SavedModel, name: str, kind: str, method: str) -> SignatureDef:
    if name not in model.signatures:
        raise InvalidArgument(f"No signature was found with the name: {name}")
    signature = model.signatures[name]
    if signature.method_name != method:
        raise InvalidArgument(f"Expected {kind} signature method_name to be {method}. Was: {signature.method_name}")
    return signature


def _check_matrix(array: Array, output: str, dtype: int, expected: int, examples: int) -> None:
    if array.ndim != 2:  # noqa: PLR2004 a matrix
        raise InvalidArgument(f"Expected Tensor shape: [batch_size num_classes] but got {_shape(array)}")
    if dtype != expected:
        raise InvalidArgument(f"Expected {output} Tensor of {_type(expected)}. Got: {_type(dtype)}")
    if len(array) != examples:
        raise InvalidArgument(f"Expected {output} output batch size of {examples}. Got: {len(array)}")


def _classes(outputs: Mapping[str, Array]) -> ClassificationResult:
    """Put labels and scores together; a model may give only one of them."""
    shape = next(iter(outputs.values())).shape
    labels = outputs[CLASSES] if CLASSES in outputs else np.full(shape, b"", object)
    scores = outputs[SCORES] if SCORES in outputs else np.zeros(shape, np.float32)
    if labels.shape != scores.shape:
        raise InvalidArgument(
            f"Tensors class and score should match in dim_size(1). Got {labels.shape[1]} vs. {scores.shape[1]}"
        )
    result = ClassificationResult()
    for row in range(len(labels)):
        pairs = zip(labels[row], scores[row], strict=True)
        result.classifications.append(
            Classifications(classes=[Class(label=_text(label), score=float(score)) for label, score in pairs])
        )
    return result


def _text(label: bytes) -> str:
    try:
        return label.decode()
    except UnicodeDecodeError:
        raise InvalidArgument("Expected classes Tensor of UTF-8 texts") from None


def _shape(array: Array) -> str:
    return f"[{','.join(map(str, array.shape))}]"


def _type(number: int) -> str:
    return DataType.Name(number) if number in DataType.values() else str(number)
