"""How fast the embedded model server is, how soon it answers, and whether its memory grows.

    .venv/bin/python benchmarks/model_server_speed.py [--seconds 5] [--rounds 3] [--requests 1000000]

Trains the AND gate, and measures on one core for the server and another for the clients:

- answers a second to 64 callers with single rows, beside grpc.aio with the SavedModel's eager signature. The two take
  turns; a ratio is of one round. Clients are Python too: where they are the bottleneck (`server_cores` well below 1)
  the ratio of processor times an answer counts;
- milliseconds for a call of 64 rows by one caller, beside the same 64 rows by the session's callable in this process;
- seconds from start to the first answer, beside `import tensorflow` alone;
- resident memory after 1/100 of --requests and after all of them.

Prints one JSON object.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from first_answer import free_port
from tidegate_proto.prediction_pb2 import ModelSpec, PredictRequest
from tidegate_proto.services import PREDICT
from tidegate_proto.tensor_pb2 import DT_FLOAT, TensorProto, TensorShapeProto

EAGER = Path(__file__).parent / "model_server" / "eager_server.py"
CALLERS = 64
SERVER_CORE, CLIENT_CORE = 0, 1
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Rate:
    """What one server did in one round: answers a second, and its processor time."""

    per_s: float
    cpu_us: float
    cores: float


def request_of(rows: int) -> PredictRequest:
    """Return a request of so many rows."""
    request = PredictRequest(model_spec=ModelSpec(name="and_gate"))
    dims = [TensorShapeProto.Dim(size=size) for size in (rows, 2)]
    request.inputs["inputs"].CopyFrom(
        TensorProto(
            dtype=DT_FLOAT, tensor_shape=TensorShapeProto(dim=dims), tensor_content=np.ones((rows, 2), "<f4").tobytes()
        )
    )
    return request


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[tuple[int, float]]:
    """Run a server on its core; gives its process id and the seconds until it answered."""
    started = time.monotonic()
    with subprocess.Popen(["taskset", "-c", str(SERVER_CORE), *command], stderr=subprocess.DEVNULL) as process:
        try:
            until_open(port)  # a channel that finds nobody waits for a second before it tries again
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                stub = channel.unary_unary(PREDICT.path, PredictRequest.SerializeToString, PREDICT.response.FromString)
                answer = stub(request_of(1), timeout=20, wait_for_ready=True)
            first_s = time.monotonic() - started
            tensor = answer.outputs["probabilities"]
            shares = tensor.float_val or np.frombuffer(tensor.tensor_content, "<f4")
            if not shares[1] > 0.5:  # noqa: PLR2004 it is on
                raise RuntimeError(f"{command}: wrong answer {answer}")
            yield process.pid, first_s
        finally:
            process.terminate()


def until_open(port: int) -> None:
    """Wait until somebody listens.

    Raises:
        TimeoutError: Nobody did in two minutes.
    """
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.01)
    raise TimeoutError(port)


def cpu_s(pid: int) -> float:
    """Return the processor time of a process until now."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mib(pid: int) -> float:
    """Return the memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 2**20


async def load(port: int, seconds: float, most: int | None = None) -> tuple[int, float]:
    """Call from many callers at once for a time, or a number of times; gives answers and seconds."""
    sent = request_of(1).SerializeToString()
    answered = 0
    started = time.monotonic()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(PREDICT.path)

        async def caller() -> None:
            nonlocal answered
            while (most is None and time.monotonic() - started < seconds) or (most is not None and answered < most):
                answered += 1
                await stub(sent)

        await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return answered, time.monotonic() - started


def rate(pid: int, port: int, seconds: float) -> Rate:
    """Load a server for a time, after a warm-up."""
    asyncio.run(load(port, 0.5))
    before = cpu_s(pid)
    answers, took_s = asyncio.run(load(port, seconds))
    used_s = cpu_s(pid) - before
    return Rate(round(answers / took_s, 1), round(used_s / answers * 1e6, 1), round(used_s / took_s, 2))


def many_rows_ms(port: int, calls: int = 500) -> float:
    """Return the median milliseconds of a call of 64 rows by one caller."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = channel.unary_unary(PREDICT.path, PredictRequest.SerializeToString, PREDICT.response.FromString)
        return median_ms(lambda: stub(request_of(64)), calls)


def many_rows_in_process_ms(folder: Path, calls: int = 500) -> float:
    """Return the median milliseconds of 64 rows by the session's callable alone."""
    from tidegate_serving.savedmodel import SavedModel  # noqa: PLC0415 TensorFlow takes seconds to import

    model = SavedModel(folder)
    signature = model.signatures["serving_default"]
    feeds = {signature.inputs["inputs"].name: np.ones((64, 2), np.float32)}
    fetches = (signature.outputs["probabilities"].name,)
    return median_ms(lambda: model.run(feeds, fetches), calls)


def median_ms(call: Any, calls: int) -> float:  # noqa: ANN401 whatever it returns
    """Time a call again and again, once it is warm."""
    times = []
    for number in range(calls + 50):
        started = time.perf_counter()
        call()
        if number >= 50:  # noqa: PLR2004 the warm-up
            times.append(time.perf_counter() - started)
    return round(statistics.median(times) * 1e3, 4)


def import_s() -> float:
    """Return the seconds that a process takes that imports TensorFlow alone."""
    started = time.monotonic()
    command = ["taskset", "-c", str(SERVER_CORE), sys.executable, "-c", "import tensorflow"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return time.monotonic() - started


def measure(folder: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Measure everything."""
    rates: dict[str, list[Rate]] = {"model_server": [], "eager": []}
    ours_port, eager_port = free_port(), free_port()
    flags = [f"--port={ours_port}", "--model_name=and_gate", f"--model_base_path={folder}"]
    ours = [sys.executable, "-m", "tidegate_serving", *flags, *chosen.flag]
    eager = [sys.executable, str(EAGER), str(eager_port), str(folder / "1")]
    starts = []
    for _ in range(chosen.rounds):
        with running(ours, ours_port) as (_pid, first_s):
            starts.append((first_s, import_s()))
    with running(ours, ours_port) as (pid, _), running(eager, eager_port) as (eager_pid, _):
        for _ in range(chosen.rounds):
            rates["model_server"].append(rate(pid, ours_port, chosen.seconds))
            rates["eager"].append(rate(eager_pid, eager_port, chosen.seconds))
        many_ms = many_rows_ms(ours_port)
    with running(ours, ours_port) as (pid, _):
        asyncio.run(load(ours_port, 0, chosen.requests // 100))
        early = resident_mib(pid)
        asyncio.run(load(ours_port, 0, chosen.requests - chosen.requests // 100))
        late = resident_mib(pid)
    pairs = list(zip(rates["model_server"], rates["eager"], strict=True))
    in_process_ms = many_rows_in_process_ms(folder / "1")
    return {
        "single_rows": {name: [vars_of(one) for one in found] for name, found in rates.items()},
        "rate_ratio": round(statistics.median(ours.per_s / theirs.per_s for ours, theirs in pairs), 2),
        "cpu_ratio": round(statistics.median(theirs.cpu_us / ours.cpu_us for ours, theirs in pairs), 2),
        "rows_64": {"call_ms": many_ms, "in_process_ms": in_process_ms, "ratio": round(many_ms / in_process_ms, 2)},
        "first_answer_s": [round(first, 2) for first, _ in starts],
        "import_tensorflow_s": [round(alone, 2) for _, alone in starts],
        "start_ratio": round(statistics.median(first / alone for first, alone in starts), 2),
        "resident_mib": {str(chosen.requests // 100): round(early, 1), str(chosen.requests): round(late, 1)},
        "resident_ratio": round(late / early, 3),
    }


def vars_of(one: Rate) -> dict[str, float]:
    """Name the figures."""
    return {"per_s": one.per_s, "cpu_us": one.cpu_us, "server_cores": one.cores}


def main() -> int:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=1_000_000, help="for the memory")
    parser.add_argument("--flag", action="append", default=[], help="for the model server, such as --enable_batching")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tidegate-") as temporary:
        train = [sys.executable, "-m", "tidegate_serving.train", "and_gate", "--to", temporary]
        subprocess.run(train, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {CLIENT_CORE})
        print(json.dumps(measure(Path(temporary) / "and_gate", chosen), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
