"""Exports a TensorFlow 1 SavedModel with a signature for each type, and TensorFlow's own answers.

    python typed_model.py FOLDER      writes FOLDER/1 (the model) and FOLDER/golden.json

`DT_FLOAT` and so on: two tensors in, `first` and `both` (one after the other) out. `serving_default`: y = x / 2 + 2 of
variables, x a column by its signature. `defaulted`: y = x * factor + shift, where `factor` and `shift` may be left out.
`looked_up`: words by number from a file of the model's. `fails`: what happens within the graph.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2

v1 = tf.compat.v1
PREDICT = "tensorflow/serving/predict"
WHOLE = (tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.uint32, tf.uint64)
REAL = (tf.half, tf.bfloat16, tf.float32, tf.float64)
COMPLEX = (tf.complex64, tf.complex128)


def samples(dtype: Any) -> np.ndarray[Any, Any]:
    """Return a [2, 3] of what a type has at its ends."""
    kind = dtype.as_numpy_dtype
    if dtype in WHOLE:
        return np.array([[0, 1, dtype.max], [dtype.min, 7, 100]], kind)
    if dtype in REAL:
        return np.array([[0, -0.1, np.inf], [-np.inf, np.nan, 3.14159]], kind)
    if dtype in COMPLEX:
        return np.array([[0, 1j, -1 + 2j], [0.5, np.inf, -3.14159j]], kind)
    if dtype == tf.bool:
        return np.array([[True, False, True], [False, False, True]])
    return np.array([[b"", b"\x00\xff", "käfer".encode()], [b"x" * 300, b"a", b"b"]], object)


def encoded(array: Any, dtype: Any) -> str:
    """Write a tensor as TensorFlow does."""
    return base64.b64encode(tf.make_tensor_proto(array, dtype).SerializeToString()).decode()


def signature(inputs: dict[str, Any], outputs: dict[str, Any]) -> Any:
    info = v1.saved_model.build_tensor_info
    return v1.saved_model.signature_def_utils.build_signature_def(
        {name: info(tensor) for name, tensor in inputs.items()},
        {name: info(tensor) for name, tensor in outputs.items()},
        PREDICT,
    )


def typed(session: Any, dtype: Any) -> tuple[Any, dict[str, Any]]:
    """Return a type's signature and an example with TensorFlow's answer."""
    name = dtype.name
    first = v1.placeholder(dtype, [None, 3], name=f"{name}_first")
    second = v1.placeholder(dtype, [None, 3], name=f"{name}_second")
    outputs = {"first": tf.identity(first), "both": tf.concat([first, second], 0)}
    array = samples(dtype)
    found = session.run(outputs, {first: array, second: array[::-1]})
    golden = {
        "inputs": {"first": encoded(array, dtype), "second": encoded(array[::-1], dtype)},
        "outputs": {output: encoded(value, dtype) for output, value in found.items()},
    }
    return signature({"first": first, "second": second}, outputs), golden


def main(folder: Path) -> None:
    """Write the model and its answers."""
    signatures, golden = {}, {}
    with tf.Graph().as_default(), v1.Session() as session:
        half, two = v1.get_variable("half", initializer=0.5), v1.get_variable("two", initializer=2.0)
        column = v1.placeholder(tf.float32, [None, 1], name="column")
        signatures["serving_default"] = signature({"x": column}, {"y": column * half + two})

        x = v1.placeholder(tf.float32, [None], name="x")
        factor, shift = v1.placeholder(tf.float32, [], name="factor"), v1.placeholder(tf.float32, [1], name="shift")
        defaulted = signature({"x": x, "factor": factor, "shift": shift}, {"y": x * factor + shift})
        defaulted.defaults["factor"].CopyFrom(tf.make_tensor_proto(3.0))
        defaulted.defaults["shift"].CopyFrom(tf.make_tensor_proto([1.0]))
        signatures["defaulted"] = defaulted

        words = folder / "words.txt"
        words.write_text("ant\nbee\nkäfer\n")
        asset = tf.constant(str(words))
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, asset)
        table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                asset, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE
            ),
            "none",
        )
        number = v1.placeholder(tf.int64, [None], name="number")
        signatures["looked_up"] = signature({"number": number}, {"word": table.lookup(number)})
        with tf.control_dependencies([tf.debugging.assert_positive(x, message="only positive ones")]):
            signatures["fails"] = signature({"x": x}, {"y": tf.identity(x)})

        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        for dtype in (*WHOLE, *REAL, *COMPLEX, tf.bool, tf.string):
            name = types_pb2.DataType.Name(dtype.as_datatype_enum)
            signatures[name], golden[name] = typed(session, dtype)
        builder = v1.saved_model.Builder(str(folder / "1"))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            signatures,
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=v1.tables_initializer(),
        )
        builder.save()
    words.unlink()
    (folder / "golden.json").write_text(json.dumps(golden))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
