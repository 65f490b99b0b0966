"""How long a probe waits while the gateway is asked more than it can do.

    python benchmarks/probe_under_load.py [--connections N] [--seconds S] [--plain]

Starts `tidegate-web` with no model server behind it, so that it answers 503 as fast as it can, and keeps so many
connections busy from a process of their own; another process asks the ops port's /healthz on a new connection every
50 ms, as a kubelet would. With --plain the requests go through aiohttp, which the fast way in spares them. Prints the
requests answered a second and the probe's milliseconds as JSON.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

GATEWAY = Path(sys.executable).with_name("tidegate-web")
REQUEST = b'POST /v1/models/and_gate:predict HTTP/1.1\r\nHost: x\r\n%bContent-Length: 22\r\n\r\n{"instances": [[1,1]]}'
PROBE = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
PLAIN = b"Connection: keep-alive\r\n"
"""A header that the fast way in leaves to aiohttp."""

EVERY_S = 0.05


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def probe_ms(port: int) -> float:
    """Ask once on a new connection; gives the milliseconds until the answer's end."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(PROBE)
        while connection.recv(4096):
            pass
    return 1e3 * (time.monotonic() - started)


def probe(port: int, seconds: float) -> list[float]:
    """Ask again and again."""
    end = time.monotonic() + seconds
    taken = []
    while time.monotonic() < end:
        taken.append(probe_ms(port))
        time.sleep(EVERY_S)
    return sorted(taken)


def load(port: int, connections: int, seconds: float, header: bytes) -> int:
    """Keep the connections busy; gives the answers."""
    request = REQUEST % header

    async def ask(end: float) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answers = 0
        while time.monotonic() < end:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            answers += 1
        writer.close()
        return answers

    async def all_of_them() -> int:
        end = time.monotonic() + seconds
        return sum(await asyncio.gather(*(ask(end) for _ in range(connections))))

    return asyncio.run(all_of_them())


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--connections", type=int, default=300)
    arguments.add_argument("--seconds", type=float, default=8.0)
    arguments.add_argument("--plain", action="store_true")
    asked = arguments.parse_args()
    http, ops = free_port(), free_port()
    environment = os.environ | {
        "TIDEGATE_HOST": "127.0.0.1",
        "TIDEGATE_HTTP_PORT": str(http),
        "TIDEGATE_OPS_PORT": str(ops),
        "TIDEGATE_BACKENDS": f"static:127.0.0.1:{free_port()}",
        "TIDEGATE_CONNECTION_MAX_AGE_S": "0",
        "TIDEGATE_DRAIN_S": "0",
    }
    gateway = subprocess.Popen([GATEWAY], env=environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                probe_ms(ops)
                probe_ms(http)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(EVERY_S)
        with ProcessPoolExecutor(2) as pool:
            header = PLAIN if asked.plain else b""
            answers = pool.submit(load, http, asked.connections, asked.seconds, header)
            time.sleep(1)
            taken = pool.submit(probe, ops, asked.seconds - 2).result()
            rate = answers.result() / asked.seconds
    finally:
        gateway.terminate()
        gateway.wait()
    shown = {
        name: round(taken[int(share * (len(taken) - 1))], 1)
        for name, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))
    }
    print(
        json.dumps(
            {"connections": asked.connections, "answers_per_s": round(rate), "probes": len(taken), "probe_ms": shown}
        )
    )


if __name__ == "__main__":
    main()
