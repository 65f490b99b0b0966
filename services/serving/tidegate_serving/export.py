"""A Keras model as a SavedModel that TF Serving serves."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import keras
import tensorflow as tf

SIGNATURE = "serving_default"


def export(model: keras.Model, folder: Path, card: Mapping[str, object]) -> None:
    """Write a model with named inputs and outputs, whole or not at all.

    The signature is `serving_default`: `inputs` float32 [any, …] to `probabilities` float32 [any, …]. (`model.export`
    would name the input `keras_tensor`; `tf.saved_model.save` of a Keras 3 model keeps variables that TF Serving's
    loader does not restore.)

    Args:
        model: From one float32 input to one output.
        folder: The version's folder, e.g. `models/and_gate/1`; replaced if it is there.
        card: Goes into `assets.extra/tidegate.json`.
    """
    spec = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="inputs")

    def serve(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": model(inputs, training=False)}

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(SIGNATURE, serve, input_signature=[spec])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as unfinished:
        written = Path(unfinished) / "model"
        archive.write_out(str(written), verbose=False)
        extra = written / "assets.extra"
        extra.mkdir()
        (extra / "tidegate.json").write_text(json.dumps(card, indent=2) + "\n")
        if folder.exists():
            shutil.rmtree(folder)
        written.rename(folder)
