"""`make run`'s launcher, started as make starts it, on free ports."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PORTS = ("HTTP_PORT", "OPS_PORT", "GRPC_PORT", "REST_PORT")


@pytest.fixture
def checkout(tmp_path: Path, model_folder: Path) -> Path:
    """A checkout of its own, so that its .run/ is nobody else's; with the models trained already."""
    folder = tmp_path / "checkout"
    (folder / ".run").mkdir(parents=True)
    shutil.copytree(ROOT / "local", folder / "local")
    shutil.copy(ROOT / "Procfile", folder)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    shutil.copytree(model_folder, folder / ".run" / "models")
    return folder


class Run:
    """A running `make run`."""

    def __init__(self, checkout: Path, given: tuple[str, ...], environment: dict[str, str]) -> None:
        self.ports = {name: environment[name] for name in PORTS}
        self.log = checkout / "log"
        self.cards_folder = checkout / ".run" / "cards"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, checkout / "local" / "run.py", *given],
                env=os.environ | environment, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    def output(self) -> str:
        return self.log.read_text()

    def until(self, text: str) -> str:
        deadline = time.monotonic() + 60
        while text not in self.output():
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.05)
        return self.output()

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=30)

    def cards(self) -> dict[str, str]:
        """The title on each card that the gateway gets."""
        return {card.stem: json.loads(card.read_text())["title"] for card in self.cards_folder.iterdir()}

    def page(self, path: str = "/") -> str:
        with self._open(path) as answer:
            return str(answer.read().decode())

    def predicted_by(self, path: str) -> Message:
        """The headers that say who answered."""
        with self._open(path, b'{"instances": [[1, 1]]}') as answer:
            headers: Message = answer.headers
            return headers

    def until_version(self, number: str, path: str) -> None:
        deadline = time.monotonic() + 30
        while self.predicted_by(path)["Tidegate-Model-Version"] != number:
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.05)

    def _open(self, path: str, body: bytes | None = None) -> Any:
        return urllib.request.urlopen(f"http://127.0.0.1:{self.ports['HTTP_PORT']}{path}", body, timeout=10)


@pytest.fixture
def start_run(checkout: Path, free_ports: Callable[[], int]) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def start(*given: str, **environment: str) -> Run:
        run = Run(checkout, given, {name: str(free_ports()) for name in PORTS} | environment)
        runs.append(run)
        return run

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.interrupt()


def is_free(port: str, address: str = "127.0.0.1") -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return trial.connect_ex((address, int(port))) != 0


def test_it_serves_the_form_says_where_and_stops_on_ctrl_c(start_run):
    run = start_run()
    said = run.until("Ctrl-C stops it.")
    assert f"form     http://127.0.0.1:{run.ports['HTTP_PORT']}/" in said
    assert "model-server.1" in said
    assert "gateway.1" in said
    assert 'name="inputs.1"' in run.page()
    assert f"{run.ports['HTTP_PORT']}/v1/models/digits:predict" in said
    assert "digits" in run.page("/?model=digits")
    assert run.cards() == {"and_gate": "AND gate", "digits": "Handwritten digits"}
    assert f"load     make loadtest HTTP_PORT={run.ports['HTTP_PORT']}\n" in said
    assert run.predicted_by("/v1/models/and_gate:predict")["Tidegate-Backend"]
    assert "is there already" not in said
    assert all(is_free(port, "127.0.0.2") for port in run.ports.values()), "this machine alone is served"
    assert run.interrupt() == 0
    assert run.output().endswith("Stopped.\n")
    assert all(is_free(port) for port in run.ports.values())


def test_it_takes_versions_that_come_and_go_and_suffers_no_second_run_beside_it(start_run, checkout, tmp_path):
    run = start_run()
    run.until("Ctrl-C stops it.")
    versions = checkout / ".run" / "models" / "and_gate"
    run.until_version("1", "/v1/models/and_gate:predict")
    shutil.copytree(versions / "1", versions / "2")
    code, said = ended(start_run())
    assert code == 1
    assert "runs already in this checkout" in said
    run.until_version("2", "/v1/models/and_gate:predict")
    (versions / "2").rename(tmp_path / "2")
    run.until_version("1", "/v1/models/and_gate:predict")
    assert run.interrupt() == 0


@pytest.mark.parametrize("layout", ["a folder of versions", "one version"])
def test_a_users_own_model_is_served_under_its_name_with_its_card_if_it_has_one(
    start_run, tmp_path, model_folder, layout
):
    own = tmp_path / "my models" / "gate v2"
    if layout == "one version":
        shutil.copytree(model_folder / "and_gate" / "1", own, ignore=shutil.ignore_patterns("assets.extra"))
    else:
        for version in ("1", "2"):
            shutil.copytree(model_folder / "and_gate" / "1", own / version)
    run = start_run(MODEL=str(own), NAME="mine", VERSIONS="all" if layout == "one version" else "stable:1,canary:2")
    said = run.until("Ctrl-C stops it.")
    assert "Tidegate serves mine" in said
    assert 'name="inputs.1"' in run.page()
    assert run.cards() == ({} if layout == "one version" else {"mine": "AND gate"})
    if layout == "a folder of versions":
        run.until_version("1", "/v1/models/mine/labels/stable:predict")
        run.until_version("2", "/v1/models/mine/labels/canary:predict")
    assert run.interrupt() == 0


def ended(run: Run) -> tuple[int, str]:
    return run.process.wait(timeout=30), run.output()


def test_a_taken_port_is_named_with_the_way_to_another(start_run):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, said = ended(start_run(HTTP_PORT=str(port)))
    assert code == 1
    assert f"port {port} cannot be used: another program listens there" in said
    assert "make run HTTP_PORT=" in said


@pytest.mark.parametrize(
    ("files", "name", "said"),
    [
        ([], "", "expected a SavedModel's folder, there is nothing"),
        (["model"], "", "expected a SavedModel's folder, there is a file"),
        (["model/weights"], "", "there is weights"),
        (["model/1/weights"], "", "numbered sub-folders (1, 2, …) that hold one; there is 1"),
        (["model/saved_model.pb"], "my model", "NAME=my model: expected letters"),
    ],
)
def test_a_model_that_is_none_is_told_what_was_expected(start_run, tmp_path, files, name, said):
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    code, output = ended(start_run(MODEL=str(tmp_path / "model"), NAME=name))
    assert code == 1
    assert said in output
    assert "Traceback" not in output


def test_a_model_that_cannot_be_loaded_ends_it_with_the_reason_as_its_last_line(start_run, tmp_path):
    broken = tmp_path / "broken" / "1"
    broken.mkdir(parents=True)
    (broken / "saved_model.pb").write_bytes(b"not a model")
    run = start_run(MODEL=str(broken.parent))
    code, said = ended(run)
    assert code == 1
    (last,) = said.strip().splitlines()[-1:]
    assert last.startswith(f"tidegate: the model server could not load broken: {broken}: Cannot parse file")
    assert all(is_free(port) for port in run.ports.values())


def test_when_one_of_the_two_dies_the_other_is_stopped_and_the_exit_code_says_so(start_run):
    run = start_run()
    run.until("starting TensorFlow")
    subprocess.run(["pkill", "-P", str(run.process.pid), "-f", "honcho"], check=True)
    code, said = ended(run)
    assert code == 1
    assert "one of the two ended by itself" in said
    assert all(is_free(port) for port in run.ports.values())


@pytest.mark.parametrize(
    ("variables", "given", "said"),
    [
        ({}, ("MODLE",), "make run reads no MODLE (did you mean MODEL?): expected one of MODEL, NAME, VERSIONS"),
        ({"NAME": "digits"}, (), "NAME=digits: expected MODEL=path/to/saved_model with it"),
        ({"VERSIONS": "1"}, (), "VERSIONS=1: expected MODEL=path/to/versions with it, or VERSIONS=all"),
    ],
)
def test_variables_that_would_be_ignored_are_refused(start_run, variables, given, said):
    code, output = ended(start_run(*given, **variables))
    assert code == 1
    assert said in output


def test_make_tells_it_what_stands_on_the_command_line():
    command = ["make", "--dry-run", "--old-file=.venv/run.stamp", "run", "MODLE=x y", "NAME=z"]
    variables = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert set(line.split()[2:]) == {"MODLE", "NAME"}
