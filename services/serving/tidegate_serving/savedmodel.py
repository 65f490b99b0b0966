"""One loaded SavedModel and how to run its graph.

The TensorFlow 1 session loads what `tf.saved_model.load` cannot (models without an object graph), as TF Serving's own
loader does, and calls into it cost a tenth of an eager signature's.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from tidegate_proto.signature_pb2 import SignatureDef
from tidegate_serving.eager import EagerSignatures, unrestored
from tidegate_serving.errors import InvalidArgument
from tidegate_serving.tensors import Array, Run, dtype_name

INIT_SIGNATURE = "__saved_model_init_op"
"""Kept among the signatures by TensorFlow; nobody can call it."""

log = logging.getLogger(__name__)

SHOWN = 5
"""Names of variables that a line of the log has."""


class LoadError(Exception):
    """A folder that holds no SavedModel that can be served.

    Args:
        text: Why.
        code: Number of TensorFlow's code for it; 0 where it has none.
    """

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Options:
    """How models are loaded and called.

    Attributes:
        tags: Which of a SavedModel's graphs is loaded.
        threads: Within an operation, and operations at once; 1 where 0. One thread a call: calls run beside one
            another, and a small graph gains nothing from more.
        check_method_names: Whether a signature must say that it is for the method that calls it.
        joined: Makes of a run one that is joined with others; None where each is alone.
    """

    tags: Sequence[str] = ("serve",)
    threads: tuple[int, int] = (0, 0)
    check_method_names: bool = False
    joined: Callable[[Run], Run] | None = None


@dataclass(slots=True)
class _Call:
    """What a set of feeds and fetches needs to be run.

    Attributes:
        run: Runs it.
        dtypes: What the graph expects of each feed; None where the graph does not say.
    """

    run: Run
    dtypes: list[Any]


class SavedModel:
    """A SavedModel in a session of its own.

    Args:
        folder: The version's folder.
        options: How to load it.

    Raises:
        LoadError: It cannot be loaded.
    """

    def __init__(self, folder: Path, options: Options | None = None) -> None:
        self.options = options or Options()
        if not any((folder / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt")):
            raise LoadError(
                f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {folder}. Check that the "
                "directory exists and that you have the right permissions for accessing it.",
                tf.errors.NOT_FOUND,
            )
        intra, inter = self.options.threads
        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=intra or 1, inter_op_parallelism_threads=inter or 1
        )
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
        try:
            with self._session.graph.as_default():
                meta_graph = tf.compat.v1.saved_model.load(self._session, list(self.options.tags), str(folder))
        except Exception as error:
            # TensorFlow's loader and the model's own operations raise whatever they like
            self._session.close()
            raise LoadError(f"{folder}: {str(error)[:500]}", getattr(error, "error_code", 0)) from error
        self.signatures: dict[str, SignatureDef] = {
            name: SignatureDef.FromString(signature.SerializeToString())
            for name, signature in meta_graph.signature_def.items()
        }
        self._eager = self._found_by_objects(folder)
        self._calls: dict[tuple[tuple[str, ...], tuple[str, ...]], _Call] = {}

    def _found_by_objects(self, folder: Path) -> EagerSignatures | None:
        """Load a model again whose variables the graph alone does not restore; None for all others.

        Raises:
            LoadError: It cannot be loaded that way either.
        """
        missing = unrestored(self._session, self.signatures)
        if not missing:
            return None
        log.warning(
            "TF Serving cannot run this model: its signatures read variables that its graph does not restore; it is "
            "run as TensorFlow's own loader makes it, which is slower. Write Keras models by model.export",
            extra={"folder": str(folder), "variables": missing[:SHOWN]},
        )
        try:
            return EagerSignatures(folder, self.options.tags, self.signatures)
        except Exception as error:  # as above
            self._session.close()
            raise LoadError(f"{folder}: {str(error)[:500]}", getattr(error, "error_code", 0)) from error

    def close(self) -> None:
        """Give the memory back."""
        self._session.close()

    def run(self, feeds: Mapping[str, Array], fetches: tuple[str, ...]) -> list[Array]:
        """Run the graph.

        Args:
            feeds: A tensor for each name of the graph's, such as `x:0`.
            fetches: Names of the graph's.

        Returns:
            A tensor for each fetch.

        Raises:
            InvalidArgument: A tensor of another type than the graph's; TensorFlow's words.
            tf.errors.OpError: The graph failed.
        """
        names = tuple(sorted(feeds))
        call = self._calls.get((names, fetches))
        if call is None:
            call = self._calls[names, fetches] = self._prepare(names, fetches)
        tensors = [feeds[name] for name in names]
        for position, (tensor, dtype) in enumerate(zip(tensors, call.dtypes, strict=True)):
            if dtype is not None and tensor.dtype != dtype:
                expected, came = dtype_name(dtype), dtype_name(tensor.dtype)
                raise InvalidArgument(f"Expects arg[{position}] to be {expected} but {came} is provided")
        return call.run(*tensors)

    def _prepare(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> _Call:
        run = self._callable(feeds, fetches)
        if self.options.joined is not None:
            run = self.options.joined(run)
        return _Call(run, [self._dtype(name) for name in feeds])

    def _dtype(self, name: str) -> Any:  # noqa: ANN401 a numpy dtype, or a scalar type of ml_dtypes
        try:
            return self._session.graph.get_tensor_by_name(name).dtype.as_numpy_dtype
        except (KeyError, ValueError):  # a signature may name what its graph has not: running it says so
            return None

    def _callable(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> Run:
        if self._eager is not None:
            return self._eager.prepared(feeds, fetches)
        make_callable: Callable[[Any], Run] | None = getattr(self._session, "_make_callable_from_options", None)
        if make_callable is None:  # it is TensorFlow's own, not promised: the public way is slower
            return lambda *tensors: self._session.run(list(fetches), dict(zip(feeds, tensors, strict=True)))
        options = config_pb2.CallableOptions()
        options.feed.extend(feeds)
        options.fetch.extend(fetches)
        options.run_options.inter_op_thread_pool = -1  # in the calling thread
        return make_callable(options)
