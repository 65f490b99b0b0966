"""What REST hears of the model server: each code with TF Serving's status, and a signature's defaults."""

from concurrent.futures import ThreadPoolExecutor
from typing import Never

import pytest
import tensorflow as tf

from tidegate_proto.signature_pb2 import SignatureDef
from tidegate_proto.tensor_pb2 import DT_FLOAT, TensorProto, TensorShapeProto
from tidegate_serving import errors
from tidegate_serving.catalog import Catalog
from tidegate_serving.in_process import InProcessPredictor
from tidegate_serving.metrics import RequestMetrics
from tidegate_serving.servicer import Servicer
from tidegate_web.errors import ANSWERS, TidegateError
from tidegate_web.prediction import ModelRef


class Poor(Servicer):
    """Answers every question about status with one error, and has a signature with a default."""

    def __init__(self, error: Exception) -> None:
        super().__init__(Catalog(), RequestMetrics(lambda _: False))
        self._error = error

    def signatures(self, spec: object) -> tuple[int, dict[str, SignatureDef]]:  # noqa: ARG002 the Servicer's
        shift = TensorProto(dtype=DT_FLOAT, tensor_shape=TensorShapeProto(), float_val=[0.1])
        return 3, {"shifted": SignatureDef(defaults={"shift": shift})}

    def status(self, request: object) -> Never:  # noqa: ARG002 the Servicer's
        raise self._error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NotFound("no"), 404),
        (errors.InvalidArgument("no"), 400),
        (errors.FailedPrecondition("no"), 400),
        (errors.Unimplemented("no"), 501),
        (errors.Unavailable("no"), 503),
        (errors.Unknown("no"), 500),
        (errors.Internal("no"), 500),
        (tf.errors.InvalidArgumentError(None, None, "no"), 400),
        (tf.errors.OutOfRangeError(None, None, "no"), 400),
        (tf.errors.ResourceExhaustedError(None, None, "no"), 429),
        (tf.errors.NotFoundError(None, None, "no"), 404),
        (tf.errors.DataLossError(None, None, "no"), 500),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_every_code_has_the_status_that_tf_serving_gives_it(error, status):
    with ThreadPoolExecutor(1) as threads, pytest.raises(TidegateError, match="no") as raised:
        await InProcessPredictor(Poor(error), threads).status(ModelRef("m"), 5)
    assert ANSWERS[type(raised.value)].status == status


async def test_a_signatures_defaults_are_told_as_tf_servings_document_has_them():
    with ThreadPoolExecutor(1) as threads:
        metadata = await InProcessPredictor(Poor(errors.NotFound("no")), threads).metadata(ModelRef("m"), 5)
    shift = metadata.signatures["shifted"].defaults["shift"]
    assert (shift["dtype"], shift["tensor_shape"]) == ("DT_FLOAT", {"dim": [], "unknown_rank": False})
    assert (shift["float_val"], shift["int64_val"], shift["tensor_content"]) == ([0.1], [], "")
