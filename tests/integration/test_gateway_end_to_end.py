"""The gateway as a process, in front of a real model server."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

GATEWAY = Path(sys.executable).with_name("tidegate-web")


class RunningGateway:
    """A gateway process and its two ports."""

    def __init__(self, http_port: int, ops_port: int, backends: str, log: Path, **settings: str) -> None:
        self.base = f"http://127.0.0.1:{http_port}"
        self.ops = f"http://127.0.0.1:{ops_port}"
        self.http_port = http_port
        self.log = log
        environment = os.environ | {
            "TIDEGATE_HOST": "127.0.0.1",
            "TIDEGATE_HTTP_PORT": str(http_port),
            "TIDEGATE_OPS_PORT": str(ops_port),
            "TIDEGATE_BACKENDS": backends,
            "TIDEGATE_DRAIN_S": "1",
            **settings,
        }
        with log.open("wb") as output:
            self.process = subprocess.Popen([GATEWAY], env=environment, stdout=output, stderr=output)
        deadline = time.monotonic() + 20
        while self.ask(f"{self.ops}/readyz")[0] != 200:
            assert self.process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    @staticmethod
    def ask(url: str, body: bytes | None = None) -> tuple[int, str]:
        """Status and body; 0 where nothing listens."""
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def stopped(self) -> int:
        return self.process.wait(timeout=20)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def gateway(free_ports: Any, model_server: Any, tmp_path: Path) -> Iterator[RunningGateway]:
    running = RunningGateway(free_ports(), free_ports(), f"static:{model_server.address}", tmp_path / "log")
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()


def test_form_and_api_answer_from_the_trained_model(gateway):
    status, page = gateway.ask(f"{gateway.base}/home", b"inputs.0=5&inputs.1=6")
    assert status == 200
    assert '<output id="result" data-class="1" data-model="and_gate" data-version="1">' in page
    body = json.dumps({"instances": [[1, 1], [0, 5]]}).encode()
    status, answer = gateway.ask(f"{gateway.base}/v1/models/and_gate:predict", body)
    assert status == 200
    assert [max((0, 1), key=row.__getitem__) for row in json.loads(answer)["predictions"]] == [1, 0]


def test_every_example_of_the_digits_card_is_answered_as_it_says(gateway, model_folder):
    card = json.loads((model_folder / "digits/1/assets.extra/tidegate.json").read_text())
    for example in card["examples"]:
        document = {"signature_name": example.get("signature", "serving_default"), "instances": [example["inputs"]]}
        status, answer = gateway.ask(f"{gateway.base}/v1/models/digits:predict", json.dumps(document).encode())
        assert status == 200
        (shares,) = json.loads(answer)["predictions"]
        assert shares.index(max(shares)) == example["expected"]


def test_a_file_that_is_no_picture_is_told_what_was_expected(gateway):
    body = b'{"signature_name": "png", "instances": [{"b64": "bm8gcGljdHVyZQ=="}]}'
    status, answer = gateway.ask(f"{gateway.base}/v1/models/digits:predict", body)
    assert status == 400
    assert "expected the bytes of a PNG or a JPEG picture" in json.loads(answer)["error"]


def test_metrics_and_status_tell_of_the_backend(gateway, model_server):
    gateway.ask(f"{gateway.base}/v1/models/and_gate:predict", b'{"instances": [[1, 1]]}')
    status, text = gateway.ask(f"{gateway.ops}/metrics")
    assert status == 200
    assert f'tidegate_backend_requests_total{{backend="{model_server.address}",code="OK"}}' in text
    for name in (
        "requests_total", "request_duration_seconds_bucket", "inflight_requests", "inflight_requests_average",
        "serving_pending_predictions", "serving_pending_predictions_average", "queue_wait_seconds_bucket",
        "retries_total", "backend_outstanding", "build_info",
    ):  # fmt: skip
        assert f"\ntidegate_{name}" in text
    status, document = gateway.ask(f"{gateway.ops}/status.json")
    assert json.loads(document)["backends"][0]["address"] == model_server.address


def test_sigterm_drains_and_loses_nothing(gateway):
    """Unready at once, still accepting, connections told to close, exit code 0, and a last line with the total."""
    body = b'{"instances": [[1, 1]]}'
    gateway.ask(f"{gateway.base}/v1/models/and_gate:predict", body)
    gateway.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 5
    while gateway.ask(f"{gateway.ops}/readyz")[0] != 503:
        assert time.monotonic() < deadline
    status, _ = gateway.ask(f"{gateway.base}/v1/models/and_gate:predict", body)
    assert status == 200
    assert gateway.stopped() == 0
    last = gateway.lines()[-1]
    assert (last["message"], last["answered"]) == ("stopped", 2)


def test_a_request_in_flight_at_sigterm_is_answered(free_ports, model_server, tmp_path):
    gateway = RunningGateway(
        free_ports(), free_ports(), f"static:{model_server.address}", tmp_path / "log", TIDEGATE_DRAIN_S="0"
    )
    body = b'{"instances": [[1, 1]]}'
    head = b"POST /v1/models/and_gate:predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gateway.http_port), timeout=10) as client:
        client.sendall(head % len(body))
        time.sleep(0.2)
        gateway.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        client.sendall(body)
        answer = client.recv(65536).decode()
    assert answer.startswith("HTTP/1.1 200 OK")
    assert "Connection: close" in answer
    assert gateway.stopped() == 0


def test_while_the_model_server_is_away_the_gateway_is_ready_and_says_so(free_ports, tmp_path):
    gateway = RunningGateway(free_ports(), free_ports(), f"static:127.0.0.1:{free_ports()}", tmp_path / "log")
    status, page = gateway.ask(f"{gateway.base}/home")
    assert (status, 'id="unavailable"' in page) == (503, True)
    assert gateway.ask(f"{gateway.ops}/readyz")[0] == 200
    gateway.process.terminate()
    assert gateway.stopped() == 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"TIDEGATE_BACKENDS": "nonsense"}, "TIDEGATE_BACKENDS: expected static:host:port"),
        ({"TIDEGATE_DRAIN": "1"}, "TIDEGATE_DRAIN is no setting"),
        ({"TIDEGATE_HTTP_PORT": "x"}, "TIDEGATE_HTTP_PORT: expected a whole number, came 'x'"),
    ],
)
def test_a_setting_that_cannot_be_used_ends_with_what_is_wrong(settings, said, free_ports):
    environment = os.environ | {"TIDEGATE_OPS_PORT": str(free_ports())} | settings
    done = subprocess.run([GATEWAY], env=environment, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_ends_with_the_setting_that_chooses_another(gateway, free_ports):
    environment = os.environ | {
        "TIDEGATE_HOST": "127.0.0.1",
        "TIDEGATE_HTTP_PORT": str(gateway.http_port),
        "TIDEGATE_OPS_PORT": str(free_ports()),
    }
    done = subprocess.run([GATEWAY], env=environment, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert "TIDEGATE_HTTP_PORT: cannot listen on" in done.stderr
    assert "Traceback" not in done.stderr
