"""Work: a model whose cost is chosen by the request, for measuring how model servers scale.

Each row multiplies a square matrix by another one, as often as the row asks for. Rows are worked off one after another,
so that a batch costs what its rows cost apart. All numbers are whole and small enough for float32 to hold exactly
(64 products below 251² add up to less than 2²⁴): every machine gets the same checksum, and a client can work it out
(`loadtest/work.py` does so without TensorFlow).
"""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tidegate_serving.export import DEFAULT_SIGNATURE, Signature, Trained

SIDE = 64
PRIME = 251
MOST_ITERATIONS = 100_000
"""A row that asks for more gets these: some seconds."""

EXAMPLES = ((0, 1), (1, 10), (2, 100), (3, 1000))
"""Seed and iterations of the card's rows."""


def drawn(count: int) -> npt.NDArray[np.float32]:
    """Return the first numbers of a linear congruential generator (ANSI C's), modulo PRIME, float32 [count]."""
    numbers, state = [], 1
    for _ in range(count):
        state = (1103515245 * state + 12345) % 2**31
        numbers.append((state >> 16) % PRIME)
    return np.array(numbers, dtype=np.float32)


def multiplier() -> npt.NDArray[np.float32]:
    """Return what every step multiplies by, float32 [64, 64]."""
    return drawn(SIDE * SIDE).reshape(SIDE, SIDE)


def first(seed: int) -> npt.NDArray[np.float32]:
    """Return what a row starts with: (seed + 7i + 13j) modulo PRIME, float32 [64, 64]."""
    rows, columns = np.indices((SIDE, SIDE))
    return ((seed + 7 * rows + 13 * columns) % PRIME).astype(np.float32)


def checksum(seed: int, iterations: int) -> int:
    """Work a row out without TensorFlow: the sum of all numbers after the last step, modulo PRIME."""
    step, state = multiplier(), first(seed)
    for _ in range(iterations):
        state = (step @ state) % PRIME
    return int(state.sum()) % PRIME


class MatmulLoop(keras.Model):  # type: ignore[misc]  # keras publishes no types
    """The loop; no weights."""

    def __init__(self) -> None:
        super().__init__()
        self.built = True

    def call(self, seed: tf.Tensor, iterations: tf.Tensor) -> tf.Tensor:
        """Map seeds and iterations, int64 [n] each, to checksums, int64 [n]."""
        step, start, prime = tf.constant(multiplier()), tf.constant(first(0)), tf.constant(PRIME, tf.float32)

        def row(asked: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            chosen, wanted = asked
            state = tf.math.floormod(start + tf.cast(tf.math.floormod(chosen, PRIME), tf.float32), prime)
            (state,) = tf.while_loop(
                lambda _: True,
                lambda now: (tf.math.floormod(tf.linalg.matmul(step, now), prime),),
                (state,),
                maximum_iterations=tf.cast(tf.clip_by_value(wanted, 0, MOST_ITERATIONS), tf.int32),
                parallel_iterations=1,
            )
            return tf.cast(tf.math.floormod(tf.reduce_sum(state), prime), tf.int64)

        return tf.map_fn(row, (seed, iterations), fn_output_signature=tf.int64, parallel_iterations=1)


def train() -> Trained:
    """Make the model; there is nothing to learn.

    Returns:
        Signature `serving_default` from `seed` and `iterations`, int64 [n] each, to `checksum`, int64 [n].

    Raises:
        RuntimeError: It does not get the answers that are worked out without TensorFlow, and must not be exported.
    """
    model = MatmulLoop()
    seeds, iterations = zip(*EXAMPLES, strict=True)
    came = model(tf.constant(seeds, tf.int64), tf.constant(iterations, tf.int64)).numpy().tolist()
    expected = [checksum(*example) for example in EXAMPLES]
    if came != expected:
        raise RuntimeError(f"work got {came} instead of {expected}: not exported")

    def serve(seed: tf.Tensor, iterations: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"checksum": model(seed, iterations)}

    inputs = [tf.TensorSpec((None,), tf.int64, name=name) for name in ("seed", "iterations")]
    return Trained(model, {DEFAULT_SIGNATURE: Signature(inputs, serve)}, card())


def card() -> dict[str, Any]:
    """Tell what a person may want to know."""
    return {
        "title": "Work",
        "description": "Multiplies matrices as often as a row asks for, and adds up what comes out.",
        "examples": [
            {"inputs": {"seed": seed, "iterations": iterations}, "expected": checksum(seed, iterations)}
            for seed, iterations in EXAMPLES
        ],
    }
