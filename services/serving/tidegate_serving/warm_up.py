"""Requests that a SavedModel brings along, sent to it before anybody else's.

Source: tensorflow_serving/servables/tensorflow/saved_model_warmup{,_util}.cc.
"""

from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError

from tidegate_proto.prediction_log_pb2 import PredictionLog
from tidegate_serving import examples, tensors
from tidegate_serving.errors import ServingError
from tidegate_serving.predict import DEFAULT_SIGNATURE, predict
from tidegate_serving.savedmodel import LoadError, Options, SavedModel

REQUESTS = Path("assets.extra", "tf_serving_warmup_requests")
"""A TFRecord of PredictionLog in a version's folder."""

MOST_RECORDS = 1000


def load_warm(folder: Path, options: Options, times: int) -> SavedModel:
    """Load a model and send it its own requests, if it has any.

    Args:
        folder: The version's folder.
        options: How to load it.
        times: How often each request is sent.

    Raises:
        LoadError: It cannot be loaded, or its requests cannot be answered.
    """
    model = SavedModel(folder, options)
    file = folder / REQUESTS
    if times and file.is_file():
        try:
            _send(model, file, times)
        except LoadError:
            model.close()
            raise
    return model


def _send(model: SavedModel, file: Path, times: int) -> None:
    try:
        for number, record in enumerate(tf.compat.v1.io.tf_record_iterator(str(file)), start=1):
            if number > MOST_RECORDS:
                raise LoadError(f"Number of warmup records exceeds the maximum ({MOST_RECORDS}) at {file}")
            log = PredictionLog.FromString(record)
            for _ in range(times):
                _answer(model, log)
    except tf.errors.DataLossError as error:
        raise LoadError(f"{error.message}. Please verify your warmup data is in TFRecord format.") from error
    except DecodeError as error:
        raise LoadError(f"Failed to parse warmup record: {error} from {file}") from error
    except (ServingError, tf.errors.OpError) as error:
        raise LoadError(f"{file}: {error}") from error


def _answer(model: SavedModel, log: PredictionLog) -> None:
    match log.WhichOneof("log_type"):
        case "predict_log":
            request = log.predict_log.request
            name = request.model_spec.signature_name or DEFAULT_SIGNATURE
            predict(model, name, tensors.Inputs(request.inputs), request.output_filter)
        case "classify_log":
            name = log.classify_log.request.model_spec.signature_name or DEFAULT_SIGNATURE
            examples.classify(model, name, log.classify_log.request.input)
        case "regress_log":
            name = log.regress_log.request.model_spec.signature_name or DEFAULT_SIGNATURE
            examples.regress(model, name, log.regress_log.request.input)
        case "multi_inference_log":
            several = log.multi_inference_log.request
            examples.multi_inference(model, several.tasks, several.input)
        case other:
            raise LoadError(f"Unsupported log_type for warmup: {other}")
