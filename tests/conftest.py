"""The real thing, once a session: the trained models and an embedded model server that serves them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

MODEL_SERVER = str(Path(sys.executable).with_name("tidegate-serving"))
START_S = 60


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


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
    """A folder of models, all of them trained for real."""
    folder = tmp_path_factory.mktemp("models")
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
        command = [MODEL_SERVER, f"--port={grpc_port}", f"--rest_api_port={rest_port}", *flags]
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
