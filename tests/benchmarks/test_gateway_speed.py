"""The gateway's benchmark measures right answers, and compares within a round. How fast it is, it does not promise."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.bodies import small
from gateway.load import Sample
from gateway.report import Case, cases_table, targets
from gateway.subjects import HERE, BenchmarkError, Subject, free_port
from tests.tools import tool

SPEED = HERE.parent / "gateway_speed.py"


def samples(*rates: float) -> list[Sample]:
    return [Sample(rate, p50_ms=1e3 / rate, p99_ms=9, cpu_us=None, socket_errors=0) for rate in rates]


CASE = Case("one row", 64, {"echo": samples(1000, 100, 500), "gateway": samples(800, 60, 250)})


def test_ratios_are_of_one_round_each_whatever_the_machine_did_between_them():
    spread = CASE.rates_over("echo")
    assert spread is not None
    assert (spread.median, spread.least, spread.greatest) == pytest.approx((0.6, 0.5, 0.8))


def test_a_target_that_is_not_reached_is_said_and_what_was_not_measured_is_not():
    (line,) = targets([CASE])
    assert line == "64 clients, gateway ÷ echo: 0.6 (0.5 to 0.8), target 0.75: NOT reached"
    assert "flask" not in cases_table([CASE])


def test_a_server_that_answers_something_else_is_not_measured():
    port = free_port()
    echo = Subject("parrot", (sys.executable, str(HERE / "echo.py"), str(port)), port, "/")
    with echo.started(core=None) as server, pytest.raises(BenchmarkError, match="parrot: a wrong answer to one row"):
        server.await_answer(small())


def test_one_short_round_measures_all_three_and_writes_every_sample(tmp_path: Path):
    tool("wrk")
    if os.cpu_count() == 1:
        pytest.skip("one core cannot be shared out")
    file = tmp_path / "speed.json"
    brief = ["--rounds", "1", "--seconds", "1", "--clients", "2", "--no-large", "--json", str(file)]
    done = subprocess.run([sys.executable, SPEED, *brief], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    document = json.loads(file.read_text())
    (case,) = document["cases"]
    assert {name: len(rounds) for name, rounds in case["rounds"].items()} == {"echo": 1, "gateway": 1, "flask": 1}
    assert case["over_echo"]["median"] > 0
    assert all(document[key].keys() == case["rounds"].keys() for key in ("cold_start_s", "rss_mb"))
