"""Exports a TensorFlow 1 SavedModel that takes tf.Examples, some of them, and TensorFlow's own answers to these.

    python example_model.py FOLDER      writes FOLDER/1 (the model) and FOLDER/golden.json

`regress`: y = x / 2 + c, where c comes with the row or its context (2 without). `classify`: the scores of three
beetles. The others are what a signature may also be, or should not.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any

import tensorflow as tf

v1 = tf.compat.v1
LABELS = ["ant", "bee", "käfer"]
CLASSIFY, REGRESS, PREDICT = (f"tensorflow/serving/{method}" for method in ("classify", "regress", "predict"))

ROWS: list[dict[str, Any]] = [{"x": [1.0]}, {"x": [2.5], "c": [7.0]}, {"x": [-3.0], "word": [b"\xff\x00"]}, {}]
CONTEXT: dict[str, Any] = {"c": [5.0], "x": [10.0]}


def example(features: dict[str, Any]) -> bytes:
    """Serialise floats and bytes by TensorFlow's own messages."""
    lists = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        if isinstance(values[0], bytes)
        else tf.train.Feature(float_list=tf.train.FloatList(value=values))
        for name, values in features.items()
    }
    message = tf.train.Example(features=tf.train.Features(feature=lists))
    written: bytes = message.SerializeToString()
    return written


def merged(features: dict[str, Any]) -> bytes:
    """A row in the context: its own features win."""
    return example(CONTEXT | features)


def main(folder: Path) -> None:
    """Write the model and its answers."""
    graph = tf.Graph()
    with graph.as_default(), v1.Session() as session:
        rows = v1.placeholder(tf.string, [None], name="rows")
        parsed = tf.io.parse_example(
            rows,
            {
                "x": tf.io.FixedLenFeature([1], tf.float32, default_value=[0.0]),
                "c": tf.io.FixedLenFeature([1], tf.float32, default_value=[2.0]),
                "word": tf.io.FixedLenFeature([], tf.string, default_value="none"),
            },
        )
        value = tf.add(parsed["x"] / 2, parsed["c"], name="value")  # [rows, 1]
        scores = tf.nn.softmax(tf.concat([parsed["x"], parsed["c"], value], axis=1), name="scores")
        classes = tf.tile([LABELS], [tf.shape(rows)[0], 1], name="classes")
        word = tf.identity(parsed["word"], name="word")
        doubles = tf.cast(value, tf.float64)
        count = tf.reduce_sum(value, name="count")
        floats = v1.placeholder(tf.bfloat16, [None], name="floats")
        halved = tf.multiply(floats, tf.cast(0.5, tf.bfloat16))

        def signature(inputs: dict[str, Any], outputs: dict[str, Any], method: str) -> Any:
            info = tf.compat.v1.saved_model.build_tensor_info
            return v1.saved_model.signature_def_utils.build_signature_def(
                {name: info(tensor) for name, tensor in inputs.items()},
                {name: info(tensor) for name, tensor in outputs.items()},
                method,
            )

        builder = v1.saved_model.Builder(str(folder / "1"))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                "serving_default": signature({"inputs": rows}, {"outputs": value}, REGRESS),
                "flat": signature({"inputs": rows}, {"outputs": tf.reshape(value, [-1])}, REGRESS),
                "classify": signature({"inputs": rows}, {"classes": classes, "scores": scores}, CLASSIFY),
                "scores_only": signature({"inputs": rows}, {"scores": scores}, CLASSIFY),
                "classes_only": signature({"inputs": rows}, {"classes": classes}, CLASSIFY),
                "predict": signature({"rows": rows}, {"value": value, "word_bytes": word}, PREDICT),
                "scalar": signature({"rows": rows}, {"sum": count}, PREDICT),
                "bfloat16": signature({"floats": floats}, {"halved": halved}, PREDICT),
                "regress_of_doubles": signature({"inputs": rows}, {"outputs": doubles}, REGRESS),
                "regress_of_two": signature({"inputs": rows}, {"outputs": value, "more": value}, REGRESS),
                "regress_unnamed": signature({"rows": rows}, {"outputs": value}, REGRESS),
                "regress_of_three": signature({"inputs": rows}, {"outputs": scores}, REGRESS),
                "classify_unnamed": signature({"inputs": rows}, {"labels": classes}, CLASSIFY),
                "classify_values": signature({"inputs": rows}, {"classes": scores}, CLASSIFY),
            },
        )
        builder.save()

        def answers(serialized: list[bytes]) -> dict[str, Any]:
            found = session.run({"values": value, "scores": scores}, {rows: serialized})
            return {name: array.tolist() for name, array in found.items()}

        golden = {
            "rows": [base64.b64encode(example(row)).decode() for row in ROWS],
            "context": base64.b64encode(example(CONTEXT)).decode(),
            "plain": answers([example(row) for row in ROWS]),
            "in_context": answers([merged(row) for row in ROWS]),
        }
    (folder / "golden.json").write_text(json.dumps(golden))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
