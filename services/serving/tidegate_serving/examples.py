"""Classify, Regress and MultiInference: signatures whose one input is serialised examples.

Rules, texts and codes are TF Serving's. Source: tensorflow_serving/servables/tensorflow/{classifier,regressor,
multi_inference,util}.cc.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tidegate_proto.inference_pb2 import (
    Class,
    ClassificationResult,
    Classifications,
    InferenceResult,
    InferenceTask,
    Input,
    Regression,
    RegressionResult,
)
from tidegate_proto.signature_pb2 import SignatureDef
from tidegate_proto.tensor_pb2 import DataType
from tidegate_serving.errors import FailedPrecondition, InvalidArgument, Unimplemented
from tidegate_serving.predict import DEFAULT_SIGNATURE
from tidegate_serving.savedmodel import SavedModel
from tidegate_serving.tensors import ENCODINGS, Array, number_of

CLASSIFY_METHOD = "tensorflow/serving/classify"
REGRESS_METHOD = "tensorflow/serving/regress"
INPUTS = "inputs"
CLASSES = "classes"
SCORES = "scores"
OUTPUTS = "outputs"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a signature's method needs of the graph.

    Attributes:
        feed: Takes the examples.
        fetches: What comes out, by the signature's names.
    """

    feed: str
    fetches: Mapping[str, str]


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
    signature = _signature(model, name)
    plan = _classification(signature, checked=model.options.check_method_names)
    examples = serialized(rows)
    return _classes(_run(model, [plan], examples), plan, len(examples))


def regress(model: SavedModel, name: str, rows: Input) -> RegressionResult:
    """Run a regress signature; arguments and errors as of `classify`."""
    signature = _signature(model, name)
    plan = _regression(signature, checked=model.options.check_method_names)
    examples = serialized(rows)
    return _values(_run(model, [plan], examples), plan, len(examples))


def multi_inference(model: SavedModel, tasks: Sequence[InferenceTask], rows: Input) -> list[InferenceResult]:
    """Run several signatures on the same examples in one run of the graph.

    Args:
        model: Whose signatures they are.
        tasks: Each a signature and its method.
        rows: The examples.

    Returns:
        A result for each task, without its model_spec.

    Raises:
        InvalidArgument: Tasks of several models, one signature twice, no such signature, or as of `classify`.
        Unimplemented: A method other than classify and regress.
        FailedPrecondition: A signature lacks what its method asks for.
        tf.errors.OpError: The graph failed.
    """
    plans = _plans(model, tasks)
    examples = serialized(rows)
    tensors = _run(model, plans, examples)
    results = []
    for task, plan in zip(tasks, plans, strict=True):
        if task.method_name == CLASSIFY_METHOD:
            results.append(InferenceResult(classification_result=_classes(tensors, plan, len(examples))))
        else:
            results.append(InferenceResult(regression_result=_values(tensors, plan, len(examples))))
    return results


def _plans(model: SavedModel, tasks: Sequence[InferenceTask]) -> list[Plan]:
    plans: list[Plan] = []
    seen: set[str] = set()
    for task in tasks:
        if not task.model_spec.name:
            raise InvalidArgument("Found ModelSpec with an empty model name.")
        if task.model_spec.name != tasks[0].model_spec.name:
            raise InvalidArgument("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        name = task.model_spec.signature_name or DEFAULT_SIGNATURE
        if name in seen:
            raise InvalidArgument(f"Duplicate evaluation of signature: {name}")
        seen.add(name)
        if name not in model.signatures:
            raise InvalidArgument(f"Requested signature not found in model graph: {name}")
        if task.method_name not in _METHODS:
            raise Unimplemented(f"Unsupported signature method_name: {task.method_name}")
        plans.append(_METHODS[task.method_name](model.signatures[name], checked=model.options.check_method_names))
        if plans[-1].feed != plans[0].feed:
            raise InvalidArgument("Input tensor must be the same for all Signatures.")
    return plans


def _run(model: SavedModel, plans: Sequence[Plan], examples: Array) -> dict[str, Array]:
    """Run the graph once for all plans; gives the tensors by the graph's names."""
    if not plans:
        return {}
    fetches = tuple(sorted({fetch for plan in plans for fetch in plan.fetches.values()}))
    return dict(zip(fetches, model.run({plans[0].feed: examples}, fetches), strict=True))


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


def _signature(model: SavedModel, name: str) -> SignatureDef:
    if name not in model.signatures:
        raise InvalidArgument(f"No signature was found with the name: {name}")
    return model.signatures[name]


def _classification(signature: SignatureDef, *, checked: bool) -> Plan:
    _check_method(signature, "classification", CLASSIFY_METHOD, checked=checked)
    if len(signature.inputs) != 1:
        raise InvalidArgument("Expected one input Tensor.")
    if len(signature.outputs) not in {1, 2}:
        raise InvalidArgument(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if INPUTS not in signature.inputs:
        raise FailedPrecondition(f"No classification inputs found in SignatureDef: {signature}")
    fetches = {name: signature.outputs[name].name for name in (CLASSES, SCORES) if name in signature.outputs}
    if not fetches:
        raise FailedPrecondition(
            f'Expected classification signature outputs to contain at least one of "{CLASSES}" or "{SCORES}". '
            f"Signature was: {signature}"
        )
    return Plan(signature.inputs[INPUTS].name, fetches)


def _regression(signature: SignatureDef, *, checked: bool) -> Plan:
    _check_method(signature, "regression", REGRESS_METHOD, checked=checked)
    if len(signature.inputs) != 1:
        raise InvalidArgument("Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise InvalidArgument("Expected one output Tensor.")
    if INPUTS not in signature.inputs:
        raise FailedPrecondition(f"No regression inputs found in SignatureDef: {signature}")
    if OUTPUTS not in signature.outputs:
        raise FailedPrecondition(f"No regression outputs found in SignatureDef: {signature}")
    return Plan(signature.inputs[INPUTS].name, {OUTPUTS: signature.outputs[OUTPUTS].name})


_METHODS: Mapping[str, Callable[..., Plan]] = {CLASSIFY_METHOD: _classification, REGRESS_METHOD: _regression}


def _check_method(signature: SignatureDef, kind: str, method: str, *, checked: bool) -> None:
    if checked and signature.method_name != method:
        raise InvalidArgument(f"Expected {kind} signature method_name to be {method}. Was: {signature.method_name}")


def _classes(tensors: Mapping[str, Array], plan: Plan, examples: int) -> ClassificationResult:
    """Put labels and scores together; a model may give only one of them."""
    outputs = {name: tensors[fetch] for name, fetch in plan.fetches.items()}
    for output, dtype in ((CLASSES, DataType.DT_STRING), (SCORES, DataType.DT_FLOAT)):
        if output in outputs:
            _check_matrix(outputs[output], output, dtype, examples)
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


def _check_matrix(array: Array, output: str, dtype: "DataType", examples: int) -> None:
    if array.ndim != 2:  # noqa: PLR2004 a matrix
        raise InvalidArgument(f"Expected Tensor shape: [batch_size num_classes] but got {_shape(array)}")
    if array.dtype != ENCODINGS[dtype].dtype:
        raise InvalidArgument(f"Expected {output} Tensor of {DataType.Name(dtype)}. Got: {_type(array)}")
    if len(array) != examples:
        raise InvalidArgument(f"Expected {output} output batch size of {examples}. Got: {len(array)}")


def _values(tensors: Mapping[str, Array], plan: Plan, examples: int) -> RegressionResult:
    values = tensors[plan.fetches[OUTPUTS]]
    if not (values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)):  # noqa: PLR2004 a column
        raise InvalidArgument(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape(values)}"
        )
    if len(values) != examples:
        raise InvalidArgument(f"Input batch size did not match output batch size: {examples} vs. {len(values)}")
    if values.dtype != np.float32:
        raise InvalidArgument(f"Expected output Tensor of DT_FLOAT.  Got: {_type(values)}")
    return RegressionResult(regressions=[Regression(value=value) for value in values.reshape(-1).tolist()])


def _text(label: bytes) -> str:
    try:
        return label.decode()
    except UnicodeDecodeError:
        raise InvalidArgument("Expected classes Tensor of UTF-8 texts") from None


def _shape(array: Array) -> str:
    return f"[{','.join(map(str, array.shape))}]"


def _type(array: Array) -> str:
    return DataType.Name(number_of(array.dtype))
