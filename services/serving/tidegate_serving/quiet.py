"""TensorFlow without its start-up chatter. Import this before anything that imports TensorFlow."""

import os


def quieten() -> None:
    """Set TensorFlow's own environment variables, where the user has not."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors, not the list of CPU features
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # a search for GPUs takes a second and logs errors
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # costs small models time, gains them nothing
