"""Predict: any signature, from named tensors to named tensors. Rules, texts and codes are TF Serving's.

Source: tensorflow_serving/servables/tensorflow/predict_util.cc, tensorflow/cc/saved_model/util.cc.
"""

from collections.abc import Iterable, Mapping, Sequence

from tidegate_proto.signature_pb2 import SignatureDef
from tidegate_serving import tensors
from tidegate_serving.errors import FailedPrecondition, Internal, InvalidArgument
from tidegate_serving.savedmodel import INIT_SIGNATURE, SavedModel
from tidegate_serving.tensors import Array

DEFAULT_SIGNATURE = "serving_default"
METHODS = ("tensorflow/serving/predict", "tensorflow/serving/classify", "tensorflow/serving/regress")


def predict(model: SavedModel, name: str, inputs: Mapping[str, Array], wanted: Sequence[str] = ()) -> dict[str, Array]:
    """Run a signature.

    Args:
        model: Whose signature it is.
        name: The signature's.
        inputs: A tensor for each input; the signature's defaults stand for those that are missing.
        wanted: Names of outputs; all of them when empty.

    Raises:
        FailedPrecondition: No such signature.
        InvalidArgument: Other inputs or outputs than the signature's, or tensors that do not fit it.
        Internal: A signature for no method of TF Serving's, where that is checked.
        tf.errors.OpError: The graph failed.
    """
    signature = _signature(model, name)
    feeds = _feeds(signature, inputs)
    outputs = _outputs(signature, wanted)
    fetches = tuple(signature.outputs[output].name for output in outputs)
    return dict(zip(outputs, model.run(feeds, fetches), strict=True))


def _signature(model: SavedModel, name: str) -> SignatureDef:
    if name not in model.signatures or name == INIT_SIGNATURE:
        raise FailedPrecondition(f'Serving signature key "{name}" not found.')
    signature = model.signatures[name]
    if model.options.check_method_names and signature.method_name not in METHODS:
        raise Internal(
            f"Expected prediction signature method_name to be one of {{{', '.join(METHODS)}}}. "
            f"Was: {signature.method_name}"
        )
    return signature


def _feeds(signature: SignatureDef, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Name the tensors as the graph does."""
    expected, came = set(signature.inputs), set(inputs)
    if len(came) > len(expected) or (len(came) < len(expected) and not signature.defaults):
        raise InvalidArgument(
            f"input size does not match signature: {len(came)}!={len(expected)} len({_set(came)}) != "
            f"len({_set(expected)}). Sent extra: {_set(came - expected)}. Missing but required: "
            f"{_set(expected - came)}."
        )
    feeds = {}
    for name, info in sorted(signature.inputs.items()):
        if name in inputs:
            feeds[info.name] = inputs[name]
        elif name in signature.defaults:
            feeds[info.name] = tensors.read(signature.defaults[name], name)
        else:
            raise InvalidArgument(
                f"Signature input alias: {name}(feed name: {info.name}) not found in request and no default value "
                f"provided. Inputs expected to be in the request {_set(came)}, or default input alias set: "
                f"{','.join(sorted(signature.defaults))}"
            )
    if came - expected:
        raise InvalidArgument(
            f"Inputs contains invalid name. Used request inputs: {','.join(sorted(came & expected))}, "
            f"request input: {','.join(sorted(came))}"
        )
    return feeds


def _outputs(signature: SignatureDef, wanted: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    for name in wanted:
        if name not in signature.outputs:
            raise InvalidArgument(
                f"output tensor alias not found in signature: {name} Outputs expected to be in the set "
                f"{_set(signature.outputs)}."
            )
        if name in seen:
            raise InvalidArgument(f"duplicate output tensor alias: {name}")
        seen.add(name)
    return sorted(seen or signature.outputs)


def _set(names: Iterable[str]) -> str:
    return f"{{{','.join(sorted(names))}}}"
