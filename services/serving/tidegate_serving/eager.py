"""Signatures as TensorFlow's own loader makes them, for models whose graph a session cannot run.

Keras 3 models saved by `tf.saved_model.save` restore copies of their variables, while their signatures read the
originals, which stay empty. `tf.saved_model.load` finds the values by the objects that it makes; TF Serving, which
knows the graph alone, answers FAILED_PRECONDITION. Such models are better written by `model.export`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf

from tidegate_proto.signature_pb2 import SignatureDef
from tidegate_serving.tensors import Array, Run


def unrestored(session: tf.compat.v1.Session, signatures: Mapping[str, SignatureDef]) -> list[str]:
    """Return the names of variables that signatures read and nobody has filled.

    Args:
        session: With the graph loaded; it gets a few operations more.
        signatures: Of that graph.
    """
    graph = session.graph
    waiting = [graph.get_operation_by_name(name.partition(":")[0]) for name in _outputs(session, signatures)]
    seen = set(waiting)
    while waiting:
        operation = waiting.pop()
        before = {tensor.op for tensor in operation.inputs} | set(operation.control_inputs)
        waiting += before - seen
        seen |= before
    handles = sorted((one for one in seen if one.type == "VarHandleOp"), key=lambda one: str(one.name))
    with graph.as_default():
        filled = [tf.raw_ops.VarIsInitializedOp(resource=handle.outputs[0]) for handle in handles]
    return [handle.name for handle, there in zip(handles, session.run(filled), strict=True) if not there]


def _outputs(session: tf.compat.v1.Session, signatures: Mapping[str, SignatureDef]) -> set[str]:
    """Return the tensors that signatures give; one may name what its graph has not, which running it tells."""
    known = {operation.name for operation in session.graph.get_operations()}
    names = {info.name for signature in signatures.values() for info in signature.outputs.values()}
    return {name for name in names if name.partition(":")[0] in known}


@dataclass(slots=True)
class EagerSignatures:
    """A model's signatures, to be run by the names of the graph's tensors.

    Attributes:
        folder: The version's.
        tags: Which of its graphs.
        signatures: As the graph tells them.

    Raises:
        Whatever TensorFlow's loader does.
    """

    folder: Path
    tags: Sequence[str]
    signatures: Mapping[str, SignatureDef]
    _loaded: Any = field(init=False)

    def __post_init__(self) -> None:
        self._loaded = tf.saved_model.load(str(self.folder), tags=list(self.tags))

    def prepared(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> Run:
        """Return what runs the signatures that take these feeds and give these fetches.

        Args:
            feeds: Names of tensors; the run takes their values in this order.
            fetches: Names of tensors.

        Raises:
            KeyError: No signature does.
        """
        wanted: dict[str, list[tuple[int, str]]] = {}
        for place, fetch in enumerate(fetches):
            name, key = self._giving(frozenset(feeds), fetch)
            wanted.setdefault(name, []).append((place, key))

        def run(*tensors: Array) -> list[Array]:
            given = dict(zip(feeds, tensors, strict=True))
            found: dict[int, Array] = {}
            for name, places in wanted.items():
                inputs = {key: tf.constant(given[info.name]) for key, info in self.signatures[name].inputs.items()}
                outputs = self._loaded.signatures[name](**inputs)
                found |= {place: outputs[key].numpy() for place, key in places}
            return [found[place] for place in range(len(fetches))]

        return run

    def _giving(self, feeds: frozenset[str], fetch: str) -> tuple[str, str]:
        for name in self._loaded.signatures:
            signature = self.signatures[name]
            if feeds == {info.name for info in signature.inputs.values()}:
                for key, info in signature.outputs.items():
                    if info.name == fetch:
                        return name, key
        raise KeyError(fetch)
