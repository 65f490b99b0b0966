"""One loaded SavedModel and how to run it.

The TensorFlow 1 session loads what `tf.saved_model.load` cannot (models without an object graph), as TF Serving's own
loader does, and calls into it cost a tenth of an eager signature's.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from tidegate_proto.signature_pb2 import SignatureDef, TensorInfo
from tidegate_proto.tensor_pb2 import DataType
from tidegate_serving.errors import FailedPrecondition, InvalidArgument
from tidegate_serving.tensors import Array

TAGS = ["serve"]
INIT_SIGNATURE = "__saved_model_init_op"
"""Kept among the signatures by TensorFlow; nobody can call it."""

Run = Callable[..., list[Array]]


class LoadError(Exception):
    """A folder that holds no SavedModel that can be served."""


class SavedModel:
    """A SavedModel in a session of its own.

    Args:
        folder: The version's folder.

    Raises:
        LoadError: It cannot be loaded.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "saved_model.pb").is_file():
            raise LoadError(f"{folder}: expected a SavedModel, but there is no saved_model.pb")
        # One thread a call: calls run beside one another, and a small graph gains nothing from more
        config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
        try:
            with self._session.graph.as_default():
                meta_graph = tf.compat.v1.saved_model.load(self._session, TAGS, str(folder))
        except (tf.errors.OpError, OSError, RuntimeError, ValueError) as error:
            self._session.close()
            raise LoadError(f"{folder}: {str(error)[:500]}") from error
        self.signatures: dict[str, SignatureDef] = {
            name: SignatureDef.FromString(signature.SerializeToString())
            for name, signature in meta_graph.signature_def.items()
        }
        self._runs: dict[tuple[str, tuple[str, ...]], Run] = {}

    def close(self) -> None:
        """Give the memory back."""
        self._session.close()

    def signature(self, name: str) -> SignatureDef:
        """Return a signature that can be called.

        Raises:
            FailedPrecondition: There is none of that name.
        """
        if name not in self.signatures or name == INIT_SIGNATURE:
            raise FailedPrecondition(f'Serving signature key "{name}" not found.')
        return self.signatures[name]

    def predict(self, name: str, inputs: Mapping[str, Array], wanted: tuple[str, ...] = ()) -> dict[str, Array]:
        """Run a signature.

        Args:
            name: The signature's.
            inputs: A tensor for each input.
            wanted: Names of outputs; all of them when empty.

        Raises:
            FailedPrecondition: No such signature.
            InvalidArgument: Other inputs or outputs than the signature's, or tensors that do not fit it.
            tf.errors.OpError: The graph failed.
        """
        signature = self.signature(name)
        _check_inputs(signature, inputs)
        for output in wanted:
            if output not in signature.outputs:
                raise InvalidArgument(f"output tensor alias not found in signature: {output} Outputs expected to be in "
                                      f"the set {{{','.join(sorted(signature.outputs))}}}.")  # fmt: skip
        outputs = tuple(sorted(set(wanted or signature.outputs)))
        run = self._runs.get((name, outputs))
        if run is None:
            run = self._runs[name, outputs] = self._make_run(signature, outputs)
        return dict(zip(outputs, run(*(inputs[key] for key in sorted(inputs))), strict=True))

    def _make_run(self, signature: SignatureDef, outputs: tuple[str, ...]) -> Run:
        feeds = [signature.inputs[key].name for key in sorted(signature.inputs)]
        fetches = [signature.outputs[key].name for key in outputs]
        make_callable: Callable[[Any], Run] | None = getattr(self._session, "_make_callable_from_options", None)
        if make_callable is None:  # it is TensorFlow's own, not promised: the public way is slower
            return lambda *tensors: self._session.run(fetches, dict(zip(feeds, tensors, strict=True)))
        options = config_pb2.CallableOptions()
        options.feed.extend(feeds)
        options.fetch.extend(fetches)
        options.run_options.inter_op_thread_pool = -1  # in the calling thread
        return make_callable(options)


def _check_inputs(signature: SignatureDef, inputs: Mapping[str, Array]) -> None:
    expected, came = set(signature.inputs), set(inputs)
    if expected != came:
        raise InvalidArgument(
            f"input size does not match signature: {len(came)}!={len(expected)} len({{{','.join(sorted(came))}}}) != "
            f"len({{{','.join(sorted(expected))}}}). Sent extra: {{{','.join(sorted(came - expected))}}}. "
            f"Missing but required: {{{','.join(sorted(expected - came))}}}."
        )
    for name, array in inputs.items():
        info = signature.inputs[name]
        if tf.as_dtype(array.dtype).as_datatype_enum != info.dtype or not _shape_fits(info, array.shape):
            raise InvalidArgument(
                f'input "{name}": expected {_describe(info)}, '
                f"came {DataType.Name(tf.as_dtype(array.dtype).as_datatype_enum)} {list(array.shape)}"
            )


def _shape_fits(info: TensorInfo, shape: tuple[int, ...]) -> bool:
    if info.tensor_shape.unknown_rank:
        return True
    sizes = [dim.size for dim in info.tensor_shape.dim]
    return len(sizes) == len(shape) and all(want in {-1, got} for want, got in zip(sizes, shape, strict=True))


def _describe(info: TensorInfo) -> str:
    if info.tensor_shape.unknown_rank:
        return f"{DataType.Name(info.dtype)} of any shape"
    return f"{DataType.Name(info.dtype)} {[dim.size for dim in info.tensor_shape.dim]}"
