"""Asks a model server to classify and regress by TF Serving's own client, in a process of its own.

python official_client.py ADDRESS MODEL      prints the answers to example_model's rows as JSON
"""

import base64
import json
import sys

import grpc
from tensorflow.core.example import example_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    input_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)


def main(address: str, model: str) -> None:
    """Send each kind of request once."""
    golden = json.load(sys.stdin)
    rows = [example_pb2.Example.FromString(base64.b64decode(row)) for row in golden["rows"]]
    context = example_pb2.Example.FromString(base64.b64decode(golden["context"]))
    plain = input_pb2.Input(example_list=input_pb2.ExampleList(examples=rows))
    in_context = input_pb2.Input(
        example_list_with_context=input_pb2.ExampleListWithContext(examples=rows, context=context)
    )
    answers = {}
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
            }
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
