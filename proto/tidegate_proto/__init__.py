"""TF Serving's wire contract without TensorFlow: messages (`*_pb2`) and method paths (`services`)."""
