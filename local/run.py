"""`make run`: a model server and the gateway on this machine, their logs side by side, until Ctrl-C.

`run.py VARIABLE …` is given the names of what stands on make's command line, so that none is misspelt unnoticed.
State lives in .run/: the trained models, links to the user's, their cards, and the model server's configuration.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from announcement import announcement
from choice import Choice, ChoiceError, check_variables
from model_log import ModelLog
from ports import HOST, PortError, Ports
from tidegate_serving.model_source import ModelSource, ModelSourceError, configuration, is_saved_model, write_cards

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".run"
START_S = 120.0
"""How long the model server may take to load before we say that it has not."""


LAST_LINE_S = 5.0
"""How long the last lines of processes that have ended may take; one that was killed may have left children."""


class RunError(Exception):
    """`make run` cannot go on; the text says what to do."""


def main() -> int:
    """Prepare, run, stop; exit code 0 after Ctrl-C, 1 when something failed."""
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: stopping.append(received))
    try:
        check_variables(sys.argv[1:])
        ports, choice = Ports.from_environ(os.environ), Choice.from_environ(os.environ)
        with _alone():
            ports.check_free()
            sources = choice.sources(STATE)
            if not choice.model:
                _train(sources)
            _write_configuration(sources)
            return 0 if stopping else _run(sources, ports, stopping)
    except (ChoiceError, ModelSourceError, PortError, RunError) as error:
        sys.stderr.write(f"\ntidegate: {error}\n")
        return 1


def _alone() -> IO[str]:
    """Hold the lock of .run/ until closed.

    Raises:
        RunError: Another `make run` of this checkout holds it.
    """
    STATE.mkdir(exist_ok=True)
    lock = (STATE / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunError("`make run` runs already in this checkout: stop it there with Ctrl-C first") from None
    return lock


def _train(examples: Sequence[ModelSource]) -> None:
    """Train those of our models that are not there yet.

    Raises:
        RunError: Training failed.
    """
    missing = [source.name for source in examples if not is_saved_model(source.base_path / "1")]
    train = [sys.executable, "-m", "tidegate_serving.train", *missing, "--to", str(STATE / "models")]
    if missing and subprocess.run(train, check=False).returncode != 0:
        raise RunError("the models could not be trained; the lines above say why")


def _write_configuration(sources: Sequence[ModelSource]) -> None:
    (STATE / "models.config").write_text(configuration(sources))
    (STATE / "monitoring.config").write_text(
        "prometheus_config { enable: true path: '/monitoring/prometheus/metrics' }\n"
    )
    write_cards(sources, STATE / "cards")


def _run(sources: Sequence[ModelSource], ports: Ports, stopping: list[int]) -> int:
    environment = {"TIDEGATE_EXPOSE_ROUTE": "1"} | os.environ  # Locust's page shows who answered
    environment |= {
        "GRPC_PORT": str(ports.grpc_port),
        "REST_PORT": str(ports.rest_port),
        "TIDEGATE_HOST": HOST,
        "TIDEGATE_HTTP_PORT": str(ports.http_port),
        "TIDEGATE_OPS_PORT": str(ports.ops_port),
        "TIDEGATE_BACKENDS": f"static:{HOST}:{ports.grpc_port}",
        "TIDEGATE_MODELS": ",".join(source.name for source in sources),
        "TIDEGATE_CARDS_DIR": str(STATE / "cards"),
        "TIDEGATE_DRAIN_S": "0",
        "PYTHONUNBUFFERED": "1",
    }
    honcho = [sys.executable, "-m", "honcho", "start"]
    # In a session of its own: Ctrl-C reaches this process alone, which stops the others in order
    with subprocess.Popen(
        honcho, cwd=ROOT, env=environment, start_new_session=True,
        stdout=subprocess.PIPE, text=True, encoding="utf-8", errors="replace",
    ) as processes:  # fmt: skip
        assert processes.stdout is not None  # noqa: S101 it is a pipe
        log = ModelLog(processes.stdout)
        try:
            if _wait_for_answer(sources[0], ports, processes, stopping):
                secured = bool(os.environ.get("TIDEGATE_TLS_CERT_FILE"))
                print(
                    announcement([source.name for source in sources], ports, log.warnings, secured=secured), flush=True
                )
            while not stopping and processes.poll() is None:
                time.sleep(0.1)
        finally:
            if processes.poll() is None:
                processes.terminate()
                processes.wait()
            log.join(LAST_LINE_S)
    if stopping:
        sys.stdout.write("Stopped.\n")
        return 0
    raise RunError(
        log.why_it_ended() or "one of the two ended by itself, so the other was stopped; its last lines are above"
    )


def _wait_for_answer(
    source: ModelSource, ports: Ports, processes: "subprocess.Popen[str]", stopping: list[int]
) -> bool:
    """Wait until the gateway knows a model server that has the model; say so when that takes long.

    It is asked on its ops port, which needs no token and no TLS whatever the settings are.
    """
    started = time.monotonic()
    warned = False
    while not stopping and processes.poll() is None:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{ports.ops_port}/status.json?history=0", timeout=5) as answer:
                backends = json.load(answer)["backends"]
            if any("AVAILABLE" in backend["models"].get(source.name, {}).values() for backend in backends):
                return True
        except OSError:
            pass
        time.sleep(0.1)
        if not warned and time.monotonic() - started > START_S:
            sys.stderr.write(f"\ntidegate: no answer after {START_S:g} s; still waiting (Ctrl-C stops)\n\n")
            warned = True
    return False


if __name__ == "__main__":
    sys.exit(main())
