"""The Open Inference Protocol, version 2, over HTTP and any Predictor: what KServe's and Triton's clients speak."""
