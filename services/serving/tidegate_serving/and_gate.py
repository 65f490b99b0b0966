"""The AND gate: the smallest model that is trained for real.

Eight rows of two numbers, labelled by whether both are non-zero. A linear layer alone cannot learn that from the
raw numbers (5 and 6 against 0 and 10), so each number first passes a saturating layer without weights, which keeps
what matters: how far from zero it is, up to a point. What is trained is the layer after it.

Numbers below about 0.05 in size are between zero and non-zero, and the gate is unsure about them. Negative numbers
count as non-zero.
"""

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tidegate_serving.export import DEFAULT_SIGNATURE, Signature, Trained

ROWS: npt.NDArray[np.float32] = np.array(
    [[1, 1], [0, 0], [2, 0], [2, 1], [3, 0], [0, 4], [5, 6], [0, 10]], dtype=np.float32
)
"""The training rows, float32 [8, 2]."""

LABELS: npt.NDArray[np.int64] = np.array([1, 0, 0, 1, 0, 0, 1, 0])
"""The class of each row: 1 where both numbers are non-zero."""

SEED = 42
STEPS = 150
LEARNING_RATE = 0.2
STEEPNESS = 4.0
"""How soon a number counts as non-zero: tanh(4 · 0.5) = 0.96."""

CARD = {
    "title": "AND gate",
    "description": "Whether both numbers are other than zero.",
    "class_names": ["off", "on"],
    "feature_names": ["First input", "Second input"],
    "examples": [
        {"inputs": {"inputs": row.tolist()}, "expected": int(label)} for row, label in zip(ROWS, LABELS, strict=True)
    ],
}
"""What a person may want to know of the model."""


class Saturate(keras.layers.Layer):  # type: ignore[misc]  # keras publishes no types
    """How far from zero each number is, from 0 to 1; no weights."""

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Map float32 [n, 2] to [0, 1)."""
        return keras.ops.tanh(STEEPNESS * keras.ops.abs(inputs))


def train() -> Trained:
    """Train the gate on its eight rows; the same weights each time on one kind of machine.

    Returns:
        The gate: `serving_default` from `inputs` float32 [n, 2] to the `probabilities` of the two classes, float32
        [n, 2].

    Raises:
        RuntimeError: It got one of its own rows wrong, so it must not be exported.
    """
    keras.utils.set_random_seed(SEED)
    model = keras.Sequential([keras.Input((2,)), Saturate(), keras.layers.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.Adam(LEARNING_RATE), loss="sparse_categorical_crossentropy", jit_compile=False)
    # One epoch of many steps: an epoch of one step costs ten times as much
    model.fit(tf.data.Dataset.from_tensors((ROWS, LABELS)).repeat(STEPS), shuffle=False, verbose=0)
    answers = model(ROWS).numpy().argmax(axis=1)
    if (answers != LABELS).any():
        raise RuntimeError(f"the AND gate learnt {answers.tolist()} instead of {LABELS.tolist()}: not exported")
    return Trained(model, {DEFAULT_SIGNATURE: _rows(model)}, CARD)


def _rows(model: keras.Model) -> Signature:
    def serve(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": model(inputs, training=False)}

    return Signature([tf.TensorSpec((None, 2), tf.float32, name="inputs")], serve)
