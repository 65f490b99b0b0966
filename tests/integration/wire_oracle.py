"""Prints TF Serving's own descriptors and method paths as JSON, and reads and writes messages with them.

It runs in a process of its own: TensorFlow's names cannot stand beside others of theirs in one protobuf pool, and
the client imports all of TensorFlow.

    python wire_oracle.py describe            fields of every message, method paths
    python wire_oracle.py echo MESSAGE        reads a message from standard input, writes it to standard output
"""

import json
import sys
from typing import Any

from google.protobuf.descriptor import Descriptor
from tensorflow.core.example import example_pb2, feature_pb2
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    model_management_pb2,
    model_pb2,
    model_service_pb2,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2,
    regression_pb2,
    status_pb2,
)
from tensorflow_serving.config import (
    file_system_storage_path_source_pb2,
    log_collector_config_pb2,
    logging_config_pb2,
    model_server_config_pb2,
)

POLICY = file_system_storage_path_source_pb2.FileSystemStoragePathSourceConfig.ServableVersionPolicy

MESSAGES: dict[str, Any] = {
    "TensorProto": tensor_pb2.TensorProto,
    "TensorShapeProto": tensor_shape_pb2.TensorShapeProto,
    "TensorShapeProto.Dim": tensor_shape_pb2.TensorShapeProto.Dim,
    "TensorInfo": meta_graph_pb2.TensorInfo,
    "SignatureDef": meta_graph_pb2.SignatureDef,
    "SignatureDefMap": get_model_metadata_pb2.SignatureDefMap,
    "ModelSpec": model_pb2.ModelSpec,
    "LogCollectorConfig": log_collector_config_pb2.LogCollectorConfig,
    "PerTaskSamplingConfig": logging_config_pb2.PerTaskSamplingConfig,
    "SamplingConfig": logging_config_pb2.SamplingConfig,
    "LoggingConfig": logging_config_pb2.LoggingConfig,
    "PredictRequest": predict_pb2.PredictRequest,
    "PredictResponse": predict_pb2.PredictResponse,
    "BytesList": feature_pb2.BytesList,
    "FloatList": feature_pb2.FloatList,
    "Int64List": feature_pb2.Int64List,
    "Feature": feature_pb2.Feature,
    "Features": feature_pb2.Features,
    "Example": example_pb2.Example,
    "ExampleList": input_pb2.ExampleList,
    "ExampleListWithContext": input_pb2.ExampleListWithContext,
    "Input": input_pb2.Input,
    "Class": classification_pb2.Class,
    "Classifications": classification_pb2.Classifications,
    "ClassificationResult": classification_pb2.ClassificationResult,
    "ClassificationRequest": classification_pb2.ClassificationRequest,
    "ClassificationResponse": classification_pb2.ClassificationResponse,
    "Regression": regression_pb2.Regression,
    "RegressionResult": regression_pb2.RegressionResult,
    "RegressionRequest": regression_pb2.RegressionRequest,
    "RegressionResponse": regression_pb2.RegressionResponse,
    "InferenceTask": inference_pb2.InferenceTask,
    "InferenceResult": inference_pb2.InferenceResult,
    "MultiInferenceRequest": inference_pb2.MultiInferenceRequest,
    "MultiInferenceResponse": inference_pb2.MultiInferenceResponse,
    "ReloadConfigRequest": model_management_pb2.ReloadConfigRequest,
    "ReloadConfigResponse": model_management_pb2.ReloadConfigResponse,
    "Metric": model_management_pb2.Metric,
    "PredictionLog": prediction_log_pb2.PredictionLog,
    "PredictLog": prediction_log_pb2.PredictLog,
    "ClassifyLog": prediction_log_pb2.ClassifyLog,
    "RegressLog": prediction_log_pb2.RegressLog,
    "MultiInferenceLog": prediction_log_pb2.MultiInferenceLog,
    "GetModelMetadataRequest": get_model_metadata_pb2.GetModelMetadataRequest,
    "GetModelMetadataResponse": get_model_metadata_pb2.GetModelMetadataResponse,
    "GetModelStatusRequest": get_model_status_pb2.GetModelStatusRequest,
    "GetModelStatusResponse": get_model_status_pb2.GetModelStatusResponse,
    "ModelVersionStatus": get_model_status_pb2.ModelVersionStatus,
    "StatusProto": status_pb2.StatusProto,
    "ServableVersionPolicy": POLICY,
    "ServableVersionPolicy.Latest": POLICY.Latest,
    "ServableVersionPolicy.All": POLICY.All,
    "ServableVersionPolicy.Specific": POLICY.Specific,
    "ModelConfig": model_server_config_pb2.ModelConfig,
    "ModelConfigList": model_server_config_pb2.ModelConfigList,
    "ModelServerConfig": model_server_config_pb2.ModelServerConfig,
}


def fields(descriptor: Descriptor) -> dict[str, list[object]]:
    """Number, type, whether it repeats, and its oneof, by name."""
    return {
        field.name: [field.number, field.type, field.is_repeated, getattr(field.containing_oneof, "name", None)]
        for field in descriptor.fields
    }


def describe() -> dict[str, Any]:
    services = {
        service.full_name: sorted(method.name for method in service.methods)
        for file in (prediction_service_pb2, model_service_pb2)
        for service in file.DESCRIPTOR.services_by_name.values()
    }
    return {"messages": {name: fields(kind.DESCRIPTOR) for name, kind in MESSAGES.items()}, "services": services}


if __name__ == "__main__":
    if sys.argv[1] == "describe":
        json.dump(describe(), sys.stdout)
    else:
        message = MESSAGES[sys.argv[2]].FromString(sys.stdin.buffer.read())
        sys.stdout.buffer.write(message.SerializeToString(deterministic=True))
