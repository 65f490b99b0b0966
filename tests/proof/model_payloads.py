"""What fits two of our models, without a gateway to ask."""

import payloads

DTYPES = {"and_gate": ({"inputs": ("DT_FLOAT", 2)}, {"probabilities": ("DT_FLOAT", 2)})}
DTYPES["work"] = ({"seed": ("DT_INT64", 0), "iterations": ("DT_INT64", 0)}, {"checksum": ("DT_INT64", 0)})


def metadata(model: str) -> dict[str, object]:
    """What `GET /v1/models/MODEL/metadata` answers, as far as it is read."""
    inputs, outputs = ({name: _tensor(*of) for name, of in side.items()} for side in DTYPES[model])
    entry = {"inputs": inputs, "outputs": outputs, "method_name": "tensorflow/serving/predict"}
    return {"metadata": {"signature_def": {"signature_def": {"serving_default": entry}}}}


def _tensor(dtype: str, size: int) -> dict[str, object]:
    sizes = [{"size": "-1"}, *([{"size": str(size)}] if size else [])]
    return {"dtype": dtype, "tensor_shape": {"dim": sizes, "unknown_rank": False}}


def of_the_gate() -> payloads.Payload:
    return payloads.make_payload("and_gate", metadata("and_gate"), (), seed=1)


def of_work(iterations: int) -> payloads.Payload:
    return payloads.make_payload("work", metadata("work"), (), seed=1, iterations=iterations)
