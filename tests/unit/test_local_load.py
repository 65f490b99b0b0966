"""`make loadtest` asks whether anybody is there before it loads."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import load

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "ftp://127.0.0.1:8080", "http://", "http://127.0.0.1:x", "here"])
def test_an_address_without_a_scheme_is_told_what_one_looks_like(host):
    with pytest.raises(load.HostError, match=re.escape(f"HOST={host}: expected an address such as http://127")):
        load.check(host)


def test_who_listens_may_be_loaded(free_ports):
    with socket.create_server(("127.0.0.1", free_ports())) as server:
        load.check(f"http://127.0.0.1:{server.getsockname()[1]}")


@pytest.mark.parametrize("by", ["HTTP_PORT", "LOADTEST_HOST", "--host"])
def test_where_nobody_answers_one_line_says_so_and_how_to_go_on(free_ports, by):
    port = str(free_ports())
    address = f"http://127.0.0.1:{port}"
    option = [by, address] if by == "--host" else []
    done = subprocess.run(
        [sys.executable, ROOT / "local" / "load.py", "--headless", *option],
        env={} if option else {by: port if by == "HTTP_PORT" else address},
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.strip().startswith(
        f"tidegate: nobody answers at {address} (Connection refused): start `make run`"
    )
    assert len(done.stderr.strip().splitlines()) == 1


def test_locust_itself_is_asked_for_its_version_whether_anybody_answers_or_not(free_ports):
    done = subprocess.run(
        [sys.executable, ROOT / "local" / "load.py", "--version"],
        env={"HTTP_PORT": str(free_ports())}, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("locust ")
