"""`docker compose up` for real: an answer from the form, three model servers, one killed under load, none left over.

Needs the images (`make images`); CI runs it after it has built them.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.integration.compose import START_S, Project, inspect
from tests.resilience.load import Connection, LostError, connect, post
from tests.tools import lacking

pytestmark = pytest.mark.cluster

CLIENTS = 4
PAUSE_S = 0.01
QUESTION = post("/v1/models/and_gate:predict", b'{"instances": [[1, 1]]}')


@dataclass
class Asked:
    """What became of the requests: answers by model server, and what was said where there was none."""

    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


async def ask_until(stop: threading.Event, address: str, asked: Asked) -> None:
    connection: Connection | None = None
    while not stop.is_set():
        try:
            if connection is None or connection.closed:
                connection = await connect(address)
            answer = await connection.ask(QUESTION)
        except LostError as error:
            if not error.idle_close:  # else the server had closed it before: to be sent again
                asked.failures.append(str(error))
            connection = None
            continue
        if answer.status == 200 and json.loads(answer.body)["predictions"][0][1] > 0.5:
            asked.answers[answer.headers["tidegate-backend"]] += 1
        else:
            asked.failures.append(f"{answer.status} {answer.body!r}")
        await asyncio.sleep(PAUSE_S)
    if connection is not None:
        connection.close()


@contextmanager
def load(address: str) -> Iterator[Asked]:
    """Ask from several keep-alive connections until the block ends."""
    asked, stop = Asked(), threading.Event()

    async def clients() -> None:
        await asyncio.gather(*(ask_until(stop, address, asked) for _ in range(CLIENTS)))

    thread = threading.Thread(target=lambda: asyncio.run(clients()))
    thread.start()
    try:
        yield asked
    finally:
        stop.set()
        thread.join()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_S
    while not condition():
        assert time.monotonic() < deadline, f"not in {START_S} s: {what}"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def project(free_ports: Callable[[], int]) -> Iterator[Project]:
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    ):
        lacking("docker does not answer")
    running = Project(f"tidegate-test-{os.getpid()}", free_ports(), free_ports(), {"TIDEGATE_EXPOSE_ROUTE": "1"})
    try:
        running.up()
        yield running
    finally:
        running.compose("down")
        label = f"label=com.docker.compose.project={running.name}"
        for listed in (["ps", "--all"], ["network", "ls"]):
            left = subprocess.run(["docker", *listed, "--quiet", "--filter", label], capture_output=True, check=True)
            assert left.stdout == b""


def test_the_form_answers(project: Project):
    typed = b"inputs.0=1&inputs.1=1"
    with urllib.request.urlopen(f"http://{project.address}/home", typed, timeout=30) as answer:
        assert '<output id="result" data-class="1" data-model="and_gate"' in answer.read().decode()


@pytest.mark.parametrize("service", ["web", "serving"])
def test_a_container_says_that_it_is_healthy(project: Project, service: str):
    (container,) = project.containers(service)
    wait_until(lambda: inspect(container, "{{.State.Health.Status}}") == "healthy", "healthy")


@pytest.mark.parametrize("service", ["web", "serving"])
def test_a_container_is_not_root_and_writes_to_tmp_only(project: Project, service: str):
    (container,) = project.containers(service)
    assert inspect(container, "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}}") == "10001:10001 true"


def test_of_three_model_servers_all_answer_and_scaling_back_loses_nothing(project: Project):
    with load(project.address) as asked:
        project.up(serving=3)
        wait_until(lambda: len(asked.answers) == 3, "three model servers answer")
        project.up(serving=1)
        wait_until(lambda: len(project.backends()) == 1, "one model server is left")
    assert asked.failures == []


def test_a_model_server_that_is_killed_under_load_costs_nothing_and_comes_back(project: Project):
    project.up(serving=2)
    wait_until(lambda: len(project.backends()) == 2, "two model servers")
    victim = project.containers("serving")[0]
    with load(project.address) as asked:
        wait_until(lambda: len(asked.answers) == 2, "both answer")
        os.kill(int(inspect(victim, "{{.State.Pid}}")), signal.SIGKILL)
        wait_until(lambda: inspect(victim, "{{.RestartCount}} {{.State.Health.Status}}") == "1 healthy", "it is back")
        wait_until(lambda: len(project.backends()) == 2, "the gateway knows it again")
    assert asked.failures == []
