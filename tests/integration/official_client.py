"""Asks a model server for everything by TF Serving's own client, in a process of its own.

python official_client.py ADDRESS MODEL      prints the answers to example_model's rows as JSON
"""

import base64
import json
import sys

import grpc
import tensorflow as tf
from tensorflow.core.example import example_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


def several(stub: prediction_service_pb2_grpc.PredictionServiceStub, model: str, rows: input_pb2.Input) -> object:
    """Classify and regress in one request."""
    request = inference_pb2.MultiInferenceRequest(input=rows)
    for signature, method in (("classify", CLASSIFY), ("", REGRESS)):
        task = request.tasks.add(method_name=method)
        task.model_spec.name, task.model_spec.signature_name = model, signature
    classified, regressed = stub.MultiInference(request, timeout=20).results
    return {
        "scores": [[found.score for found in row.classes] for row in classified.classification_result.classifications],
        "values": [[regression.value] for regression in regressed.regression_result.regressions],
        "specs": [
            [one.model_spec.name, one.model_spec.version.value, one.model_spec.signature_name]
            for one in (classified, regressed)
        ],
    }


def about(channel: grpc.Channel, model: str, rows: list[bytes]) -> object:
    """Predict by tensors, and ask what there is and for another list of models."""
    prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    models = model_service_pb2_grpc.ModelServiceStub(channel)
    predict = predict_pb2.PredictRequest(output_filter=["value"])
    predict.model_spec.name, predict.model_spec.signature_name = model, "predict"
    predict.inputs["rows"].CopyFrom(tf.make_tensor_proto(rows))
    metadata = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    metadata.model_spec.name = model
    status = get_model_status_pb2.GetModelStatusRequest()
    status.model_spec.name = model
    signatures = get_model_metadata_pb2.SignatureDefMap()
    told = prediction.GetModelMetadata(metadata, timeout=20).metadata["signature_def"].Unpack(signatures)
    (version,) = models.GetModelStatus(status, timeout=20).model_version_status
    try:
        models.HandleReloadConfigRequest(model_management_pb2.ReloadConfigRequest(), timeout=20)
        refusal = ""
    except grpc.RpcError as error:
        refusal = str(error.details())
    return {
        "values": tf.make_ndarray(prediction.Predict(predict, timeout=20).outputs["value"]).tolist(),
        "signatures": sorted(signatures.signature_def) if told else [],
        "state": get_model_status_pb2.ModelVersionStatus.State.Name(version.state),
        "refusal": refusal,
    }


def main(address: str, model: str) -> None:
    """Send each kind of request once."""
    golden = json.load(sys.stdin)
    rows = [example_pb2.Example.FromString(base64.b64decode(row)) for row in golden["rows"]]
    context = example_pb2.Example.FromString(base64.b64decode(golden["context"]))
    plain = input_pb2.Input(example_list=input_pb2.ExampleList(examples=rows))
    in_context = input_pb2.Input(
        example_list_with_context=input_pb2.ExampleListWithContext(examples=rows, context=context)
    )
    answers: dict[str, object] = {}
    with grpc.insecure_channel(address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        for name, message in (("plain", plain), ("in_context", in_context)):
            regress = regression_pb2.RegressionRequest(input=message)
            regress.model_spec.name = model
            classify = classification_pb2.ClassificationRequest(input=message)
            classify.model_spec.name = model
            classify.model_spec.signature_name = "classify"
            regressed = stub.Regress(regress, timeout=20)
            classified = stub.Classify(classify, timeout=20)
            answers[name] = {
                "values": [[regression.value] for regression in regressed.result.regressions],
                "scores": [[found.score for found in row.classes] for row in classified.result.classifications],
                "labels": [[found.label for found in row.classes] for row in classified.result.classifications],
                "specs": [
                    [answer.model_spec.name, answer.model_spec.version.value, answer.model_spec.signature_name]
                    for answer in (regressed, classified)
                ],
                "several": several(stub, model, message),
            }
        answers["about"] = about(channel, model, [base64.b64decode(row) for row in golden["rows"]])
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
