"""`make run`: a model server and the gateway on this machine, their logs side by side, until Ctrl-C.

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

from ports import PortError, Ports
from tidegate_serving.model_source import ModelSource, ModelSourceError, configuration, find, write_cards

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".run"
TRAINED = ("and_gate", "digits")
"""What is served unless the user names a model of their own; the form shows the first."""

START_S = 120.0
"""How long the model server may take to load before we say that it has not."""


class RunError(Exception):
    """`make run` cannot go on; the text says what to do."""


def main() -> int:
    """Prepare, run, stop; exit code 0 after Ctrl-C, 1 when something failed."""
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: stopping.append(received))
    try:
        ports = Ports.from_environ(os.environ)
        with _alone():
            ports.check_free()
            sources = _sources(os.environ.get("MODEL", ""), os.environ.get("NAME", ""))
            _write_configuration(sources)
            return 0 if stopping else _run(sources, ports, stopping)
    except (ModelSourceError, PortError, RunError) as error:
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


def _sources(model: str, name: str) -> list[ModelSource]:
    """Return the user's model, or those of ours, trained if need be.

    Raises:
        ModelSourceError: MODEL or NAME cannot be used.
        RunError: Training failed.
    """
    if model:
        return [find(model, name, STATE)]
    if name and name not in TRAINED:
        raise ModelSourceError(f"NAME={name} goes with MODEL=path/to/saved_model")
    models = STATE / "models"
    train = [sys.executable, "-m", "tidegate_serving.train", "all", "--to", str(models)]
    if subprocess.run(train, check=False).returncode != 0:
        raise RunError("the models could not be trained; the lines above say why")
    return [ModelSource(name, models / name) for name in TRAINED]


def _write_configuration(sources: Sequence[ModelSource]) -> None:
    (STATE / "models.config").write_text(configuration(sources))
    (STATE / "monitoring.config").write_text(
        "prometheus_config { enable: true path: '/monitoring/prometheus/metrics' }\n"
    )
    write_cards(sources, STATE / "cards")


def _run(sources: Sequence[ModelSource], ports: Ports, stopping: list[int]) -> int:
    environment = os.environ | {
        "GRPC_PORT": str(ports.grpc_port),
        "REST_PORT": str(ports.rest_port),
        "TIDEGATE_HOST": "127.0.0.1",
        "TIDEGATE_HTTP_PORT": str(ports.http_port),
        "TIDEGATE_OPS_PORT": str(ports.ops_port),
        "TIDEGATE_BACKENDS": f"static:127.0.0.1:{ports.grpc_port}",
        "TIDEGATE_MODELS": ",".join(source.name for source in sources),
        "TIDEGATE_CARDS_DIR": str(STATE / "cards"),
        "TIDEGATE_DRAIN_S": "0",
        "PYTHONUNBUFFERED": "1",
    }
    honcho = [sys.executable, "-m", "honcho", "start"]
    # In a session of its own: Ctrl-C reaches this process alone, which stops the others in order
    with subprocess.Popen(honcho, cwd=ROOT, env=environment, start_new_session=True) as processes:
        try:
            if _wait_for_answer(sources[0], ports, processes, stopping):
                _announce(sources, ports)
            while not stopping and processes.poll() is None:
                time.sleep(0.1)
        finally:
            if processes.poll() is None:
                processes.terminate()
                processes.wait()
    if stopping:
        sys.stdout.write("Stopped.\n")
        return 0
    raise RunError("one of the two ended by itself, so the other was stopped; its last lines are above")


def _wait_for_answer(
    source: ModelSource, ports: Ports, processes: "subprocess.Popen[bytes]", stopping: list[int]
) -> bool:
    """Wait until the gateway knows a model server that has the model; say so when that takes long.

    It is asked on its ops port, which needs no token and no TLS whatever the settings are.
    """
    started = time.monotonic()
    warned = False
    while not stopping and processes.poll() is None:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{ports.ops_port}/status.json?history=0", timeout=5
            ) as answer:
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


def _announce(sources: Sequence[ModelSource], ports: Ports) -> None:
    scheme = "https" if os.environ.get("TIDEGATE_TLS_CERT_FILE") else "http"
    base, ops = f"{scheme}://127.0.0.1:{ports.http_port}", f"http://127.0.0.1:{ports.ops_port}"
    first, *others = (f"{base}/v1/models/{source.name}:predict" for source in sources)
    lines = (
        f"Tidegate serves {' and '.join(source.name for source in sources)}",
        "",
        f"  form     {base}/",
        f"  API      {first}",
        *(f"           {other}" for other in others),
        f"  docs     {base}/docs",
        f"  status   {ops}/status",
        f"  metrics  {ops}/metrics",
        "",
        "Ctrl-C stops it.",
    )
    sys.stdout.write("\n" + "\n".join(lines) + "\n\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
