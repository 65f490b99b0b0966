"""Classify's and regress's queries to TF Serving's messages, and their answers back."""

import numpy as np

from tidegate_proto.example_pb2 import Example as ExampleProto
from tidegate_proto.example_pb2 import Feature
from tidegate_proto.inference_pb2 import (
    ClassificationRequest,
    ClassificationResponse,
    Input,
    RegressionRequest,
    RegressionResponse,
)
from tidegate_web.errors import BackendFault
from tidegate_web.prediction import Array, Example, ExampleQuery
from tidegate_web.serving.wire import to_spec


def to_classification(query: ExampleQuery) -> ClassificationRequest:
    """Write a query as a Classify request."""
    request = ClassificationRequest(model_spec=to_spec(query.model, query.signature))
    _fill_input(request.input, query)
    return request


def to_regression(query: ExampleQuery) -> RegressionRequest:
    """Write a query as a Regress request."""
    request = RegressionRequest(model_spec=to_spec(query.model, query.signature))
    _fill_input(request.input, query)
    return request


def from_classification(response: ClassificationResponse, examples: int) -> list[list[tuple[str, float]]]:
    """Read the classes of each example.

    Raises:
        BackendFault: They are not as many as the examples.
    """
    results = response.result.classifications
    _check_count(len(results), examples)
    return [[(found.label, found.score) for found in result.classes] for result in results]


def from_regression(response: RegressionResponse, examples: int) -> list[float]:
    """Read the value of each example.

    Raises:
        BackendFault: They are not as many as the examples.
    """
    results = response.result.regressions
    _check_count(len(results), examples)
    return [result.value for result in results]


def _check_count(results: int, examples: int) -> None:
    if results != examples:
        raise BackendFault(f"The model server answered {results} results for {examples} examples")


def _fill_input(message: Input, query: ExampleQuery) -> None:
    if query.context is None:
        rows = message.example_list.examples
    else:
        rows = message.example_list_with_context.examples
        _fill_example(message.example_list_with_context.context, query.context)
    for example in query.examples:
        _fill_example(rows.add(), example)


def _fill_example(message: ExampleProto, example: Example) -> None:
    features = message.features
    features.SetInParent()
    for name, array in example.items():
        _fill_feature(features.feature[name], array)


def _fill_feature(feature: Feature, array: Array) -> None:
    """Write a feature; one without elements has no kind, which TensorFlow takes as missing."""
    if not array.size:
        return
    elements = array.tolist()
    if array.dtype == object:
        feature.bytes_list.value.extend(elements)
    elif array.dtype == np.int64:
        feature.int64_list.value.extend(elements)
    else:
        feature.float_list.value.extend(elements)
