"""Exports versions of the AND gate, good and bad, and two of a model with texts, NaN and several outputs.

python gate_versions.py FOLDER
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import tensorflow as tf

Function = Callable[..., dict[str, tf.Tensor]]

ROUNDS = 20
SIDE = 300
"""A version that is plainly slower: so many products of matrices of this side."""


def shares(on: tf.Tensor, sureness: float) -> dict[str, tf.Tensor]:
    """Whether each row is on, as the shares of two classes."""
    share = tf.where(on, sureness, 1 - sureness)
    return {"probabilities": tf.stack([1 - share, share], axis=1)}


def both(inputs: tf.Tensor) -> tf.Tensor:
    return tf.reduce_all(tf.abs(inputs) > 0.05, axis=1)


def good(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
    return shares(both(inputs), 0.9)


def either(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
    return shares(tf.reduce_any(tf.abs(inputs) > 0.05, axis=1), 0.9)


def slow(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
    work = tf.eye(SIDE) + tf.reduce_sum(inputs) * 1e-9
    for _ in range(ROUNDS):
        work = tf.matmul(work, work) / SIDE
    return shares(both(inputs), 0.9 + 1e-12 * tf.reduce_sum(work))


def picky(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
    with tf.control_dependencies([tf.debugging.assert_less(inputs, 7.0, "too large")]):
        return good(tf.identity(inputs))


def of_three(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
    return good(inputs)


def mixed(change: Callable[[tf.Tensor], tf.Tensor]) -> Function:
    def serve(number: tf.Tensor, text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"ratio": number / number, "said": change(text), "raw_bytes": text}

    return serve


def write(folder: Path, function: Function, *inputs: tf.TensorSpec) -> None:
    module = tf.Module()
    module.serve = tf.function(function, input_signature=list(inputs))
    tf.saved_model.save(module, str(folder), {"serving_default": module.serve})


def gate(columns: int) -> Sequence[tf.TensorSpec]:
    return [tf.TensorSpec((None, columns), tf.float32, name="inputs")]


def main(folder: Path) -> None:
    """Write `gate` 1 to 5 and `mixed` 1 and 2."""
    for number, function in enumerate((good, good, either, slow, picky), 1):
        write(folder / f"gate/{number}", function, *gate(2))
    write(folder / "gate/6", of_three, *gate(3))
    text, number = tf.TensorSpec((None,), tf.string, name="text"), tf.TensorSpec((None,), tf.float32, name="number")
    for version, change in enumerate((tf.strings.upper, tf.strings.lower), 1):
        write(folder / f"mixed/{version}", mixed(change), number, text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
