"""A trained model as a SavedModel that TF Serving serves."""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

DEFAULT_SIGNATURE = "serving_default"


@dataclass(frozen=True, slots=True)
class Signature:
    """One way to call a model.

    Attributes:
        inputs: Each input's name, dtype and shape, in the order of the function's arguments.
        serve: From the inputs to named outputs; becomes part of the graph.
    """

    inputs: Sequence[tf.TensorSpec]
    serve: Callable[..., dict[str, tf.Tensor]]


@dataclass(frozen=True, slots=True)
class Trained:
    """A model that is fit to be served.

    Attributes:
        model: Holds the weights.
        signatures: How it is called, by name; `serving_default` among them.
        card: What a person may want to know of it; goes into `assets.extra/tidegate.json`.
    """

    model: keras.Model
    signatures: Mapping[str, Signature]
    card: Mapping[str, object]


def export(trained: Trained, folder: Path) -> None:
    """Write a model with named inputs and outputs, whole or not at all.

    (`model.export` would name the input `keras_tensor`; `tf.saved_model.save` of a Keras 3 model keeps variables that
    TF Serving's loader does not restore.)

    Args:
        trained: The model.
        folder: The version's folder, e.g. `models/and_gate/1`; replaced if it is there.
    """
    archive = keras.export.ExportArchive()
    archive.track(trained.model)
    for name, signature in trained.signatures.items():
        archive.add_endpoint(name, signature.serve, input_signature=list(signature.inputs))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as unfinished:
        written = Path(unfinished) / "model"
        archive.write_out(str(written), verbose=False)
        extra = written / "assets.extra"
        extra.mkdir()
        (extra / "tidegate.json").write_text(card_text(trained.card))
        if folder.exists():
            shutil.rmtree(folder)
        written.rename(folder)


def card_text(card: Mapping[str, object]) -> str:
    """Write a card as JSON that people can read: a line for each member and for each example."""

    def text(value: object) -> str:
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return "[\n" + ",\n".join(f"    {json.dumps(item)}" for item in value) + "\n  ]"
        return json.dumps(value)

    return "{\n" + ",\n".join(f"  {json.dumps(key)}: {text(value)}" for key, value in card.items()) + "\n}\n"
