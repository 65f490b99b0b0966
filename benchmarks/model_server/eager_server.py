"""What the model server is compared with: grpc.aio, and the SavedModel's eager signature, as one would write it.

python eager_server.py PORT FOLDER      serves FOLDER (a SavedModel) as Predict on 127.0.0.1:PORT
"""

import asyncio
import sys

import grpc.aio
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from tidegate_proto.prediction_pb2 import PredictRequest, PredictResponse
from tidegate_proto.services import PREDICT, register
from tidegate_proto.tensor_pb2 import TensorProto


async def main(port: int, folder: str) -> None:
    """Serve until killed."""
    signature = tf.saved_model.load(folder).signatures["serving_default"]

    async def predict(request: PredictRequest, _: object) -> PredictResponse:
        inputs = {
            name: tf.constant(tf.make_ndarray(tensor_pb2.TensorProto.FromString(tensor.SerializeToString())))
            for name, tensor in request.inputs.items()
        }
        response = PredictResponse()
        for name, tensor in signature(**inputs).items():
            written = tf.make_tensor_proto(tensor.numpy()).SerializeToString()
            response.outputs[name].CopyFrom(TensorProto.FromString(written))
        return response

    server = grpc.aio.server()
    register(server, {PREDICT: predict})
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
