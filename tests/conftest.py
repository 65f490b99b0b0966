"""The real thing, once a session: the trained models and an embedded model server that serves them."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from tests.ports import free_port
from tidegate_web.errors import BadInput, NotFound
from tidegate_web.prediction import (
    Array,
    Classified,
    ExampleQuery,
    ModelMetadata,
    ModelRef,
    Outcome,
    Prediction,
    Regressed,
    Signature,
    TensorSpec,
    VersionStatus,
)

# A busy machine is no failure; nothing here depends on how long an example takes
hypothesis.settings.register_profile("tidegate", deadline=None)
hypothesis.settings.load_profile("tidegate")

MODEL_SERVER = (sys.executable, "-m", "tidegate_serving")
START_S = 60


@dataclass
class ModelServer:
    """A running model server: where it listens, and its process."""

    grpc_port: int
    rest_port: int
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


StartModelServer = Callable[..., ModelServer]


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models, all of them trained for real, once for all processes that run tests."""
    together = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        together = together.parent
    folder = together / "trained-models"
    with (together / "trained-models.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # what is trained already is not trained again
        subprocess.run([sys.executable, "-m", "tidegate_serving.train", "all", "--to", folder], check=True, timeout=120)
    return folder


@pytest.fixture(scope="session")
def free_ports() -> Callable[[], int]:
    return free_port


@pytest.fixture(scope="session")
def start_model_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartModelServer]:
    """Start model servers; those that still run at the end are ended."""
    servers: list[ModelServer] = []

    def start(*flags: str) -> ModelServer:
        log = tmp_path_factory.mktemp("model-server") / "log"
        grpc_port, rest_port = free_port(), free_port()
        command = [*MODEL_SERVER, f"--port={grpc_port}", f"--rest_api_port={rest_port}", *flags]
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ)
        server = ModelServer(grpc_port, rest_port, process, log)
        servers.append(server)
        deadline = time.monotonic() + START_S
        while process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", grpc_port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return server
        raise AssertionError(f"the model server did not start: {log.read_text()[-2000:]}")

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


@pytest.fixture(scope="session")
def model_server(
    start_model_server: StartModelServer, model_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> ModelServer:
    """A model server that serves every model, with metrics."""
    folder = tmp_path_factory.mktemp("config")
    models, monitoring = folder / "models.config", folder / "monitoring.config"
    configs = [
        f'config {{ name: "{model.name}" base_path: "{model}" model_platform: "tensorflow" }}'
        for model in sorted(model_folder.iterdir())
    ]
    models.write_text(f"model_config_list {{ {' '.join(configs)} }}")
    monitoring.write_text('prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }')
    return start_model_server(f"--model_config_file={models}", f"--monitoring_config_file={monitoring}")


FLOAT, TEXT = np.dtype(np.float32), np.dtype(object)
PREDICT = "tensorflow/serving/predict"
SHARES = {"probabilities": TensorSpec(FLOAT, (None, 10), "DT_FLOAT")}
GATE = Signature(
    {"inputs": TensorSpec(FLOAT, (None, 2), "DT_FLOAT")},
    {"probabilities": TensorSpec(FLOAT, (None, 2), "DT_FLOAT")},
    PREDICT,
)
MANY_MODELS: dict[str, dict[str, Signature]] = {
    "and_gate": {"serving_default": GATE},
    "digits": {
        "serving_default": Signature({"images": TensorSpec(FLOAT, (None, 8, 8), "DT_FLOAT")}, SHARES, PREDICT),
        "png": Signature({"png": TensorSpec(TEXT, (None,), "DT_STRING")}, SHARES, PREDICT),
        "labels": Signature(
            {"inputs": TensorSpec(TEXT, (None,), "DT_STRING")},
            {"classes": TensorSpec(TEXT, (None, None), "DT_STRING")},
            "tensorflow/serving/classify",
        ),
    },
    "mixed": {
        "serving_default": Signature(
            {
                "label": TensorSpec(TEXT, (None,), "DT_STRING"),
                "urgent": TensorSpec(np.dtype(np.bool_), (None,), "DT_BOOL"),
                "count": TensorSpec(np.dtype(np.int64), (None, 2), "DT_INT64"),
                "model": TensorSpec(FLOAT, (None, 40), "DT_FLOAT"),
                "photo": TensorSpec(np.dtype(np.uint8), (None, 32, 48, 3), "DT_UINT8"),
            },
            {"scores": TensorSpec(FLOAT, (None, 1000), "DT_FLOAT"), "note": TensorSpec(TEXT, (None,), "DT_STRING")},
            PREDICT,
        )
    },
}


@dataclass
class ManyModels:
    """A Predictor of three models without a network: a gate, a reader of digits, and one of many inputs.

    The reader says the number of the row with the most ink, which tests can foretell.
    """

    seen: list[Prediction] = field(default_factory=list)

    def models(self) -> Sequence[str]:
        return list(MANY_MODELS)

    def route(self, model: ModelRef, client: str) -> ModelRef:
        assert client
        return model

    async def metadata(self, model: ModelRef, timeout_s: float) -> ModelMetadata:
        assert timeout_s > 0
        if model.name not in MANY_MODELS or model.version not in {None, 1, 2}:
            raise NotFound(f"Servable not found for request: {model}")
        if model.label not in {None, "canary"}:
            raise BadInput(f"Unrecognized servable version label: {model.label}")
        return ModelMetadata(model.name, model.version or 2, MANY_MODELS[model.name])

    async def status(self, model: ModelRef, timeout_s: float) -> Sequence[VersionStatus]:
        await self.metadata(model, timeout_s)
        return [VersionStatus(1, "AVAILABLE"), VersionStatus(2, "AVAILABLE"), VersionStatus(3, "LOADING")]

    async def predict(self, prediction: Prediction, timeout_s: float) -> Outcome:
        assert timeout_s > 0
        self.seen.append(prediction)
        timings = {"grpc": 0.0042, "codec": 0.0003}
        version = prediction.model.version or 2
        return Outcome(self._outputs(prediction.inputs), version=version, backend="10.0.0.9:8500", timings=timings)

    async def classify(self, query: ExampleQuery, timeout_s: float) -> Classified:
        raise NotImplementedError

    async def regress(self, query: ExampleQuery, timeout_s: float) -> Regressed:
        raise NotImplementedError

    @staticmethod
    def _outputs(inputs: Mapping[str, Array]) -> dict[str, Array]:
        match inputs:
            case {"inputs": rows}:
                on = (rows != 0).all(axis=1)
                return {"probabilities": np.where(on[:, None], [0.008, 0.992], [0.75, 0.25]).astype(np.float32)}
            case {"images": images}:
                digit = int(images.sum(axis=2)[0].argmax())
                return {"probabilities": _mostly(digit, 10)}
            case {"png": files}:
                return {"probabilities": _mostly(len(files[0]) % 10, 10)}
        return {"scores": _mostly(417, 1000), "note": np.array([b"read"], object)}


def _mostly(best: int, of: int) -> Array:
    shares = np.full((1, of), 0.07 / (of - 1), np.float32)
    shares[0, best] = 0.93
    return shares


@pytest.fixture(scope="session")
def many_models() -> type[ManyModels]:
    return ManyModels


def digit_card(images: Sequence[object]) -> dict[str, object]:
    return {
        "title": "Handwritten digits",
        "description": "Which digit is it? Eight by eight pixels of ink, as in scikit-learn's data set.",
        "class_names": [str(digit) for digit in range(10)],
        "image_range": [0, 16],
        "image_invert": True,
        "examples": [{"inputs": {"images": image}, "expected": index} for index, image in enumerate(images)],
    }


@pytest.fixture(scope="session")
def cards_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cards for the many models: a digit N of the examples has its ink in row N, which its reader reads as N."""
    folder = tmp_path_factory.mktemp("cards")
    images = [[[16.0 if row == digit else 0.0] * 8 for row in range(8)] for digit in range(8)]
    images.append([[0.0] * 8] * 8)  # expected 8, and read as 0
    (folder / "digits.json").write_text(json.dumps(digit_card(images)))
    gate = {
        "title": "AND gate",
        "class_names": ["off", "on"],
        "feature_names": ["First input", "Second input"],
        "examples": [{"inputs": {"inputs": [5, 6]}, "expected": 1}, {"inputs": {"inputs": [0, 0.5]}, "expected": 0}],
    }
    (folder / "and_gate.json").write_text(json.dumps(gate))
    return folder
