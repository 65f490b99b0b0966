"""Locust's entry: its options, its verdict, and the API's user of the AND gate.

locust -f loadtest --host http://127.0.0.1:8080
locust -f loadtest --host http://127.0.0.1:8080 --headless -u 20 -r 5 -t 1m ApiUser
"""

import json
import logging
import math
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from typing import Any, TypeVar, cast

import gevent
from locust import events, task
from locust.env import Environment
from locust.runners import WorkerRunner

import and_gate
import live_page
import open_loop
import run_state
from checked import AND_GATE, SETTINGS, CheckedUser, predict_path
from settings import HOST, is_host

ANSWERS = {"instances": "predictions", "inputs": "outputs"}
REPORT = "tidegate"
logger = logging.getLogger(__name__)

Number = TypeVar("Number", int, float)


def _not_negative(kind: Callable[[str], Number], what: str) -> Callable[[str], Number]:
    """Return what reads an option and refuses, in words, what cannot be."""

    def parse(text: str) -> Number:
        try:
            if 0 <= (number := kind(text)) < math.inf:
                return number
        except ValueError:
            pass
        raise ArgumentTypeError(f"expected {what}, came {text}")

    return parse


@events.init_command_line_parser.add_listener
def add_options(parser: ArgumentParser) -> None:
    """Add our options to Locust's; they are on its page too, and a master tells them to its workers."""
    rows = SETTINGS.rows
    whole, seconds = _not_negative(int, "a whole number from 0"), _not_negative(float, "seconds from 0")
    parser.add_argument("--rows", type=whole, default=rows, help=f"Rows in each request (default {rows}; 0: 1 to 32)")
    parser.add_argument(
        "--think", type=seconds, default=0.0, help="Mean seconds that a user waits between two requests"
    )
    parser.set_defaults(open_loop=bool(SETTINGS.load and SETTINGS.load.process))
    parser.set_defaults(stop_timeout="10")  # Locust's own 0 would cut requests in flight and call them failures


@events.init.add_listener
def prepare(environment: Environment, **_: object) -> None:
    """Make this process keep accounts of its runs, begin their arrivals, and show them where there is a page."""
    is_worker = isinstance(environment.runner, WorkerRunner)
    options = cast("Namespace", environment.parsed_options)
    if not is_worker:
        _choose_users(environment, named=bool(options.user_classes))

    def start(**_: object) -> None:
        is_open = bool(options.open_loop)
        run_state.attach(environment, run_state.RunState(environment, SETTINGS.slo_ms, open_loop=is_open))

    def hand_over(data: dict[str, Any], **_: object) -> None:
        data[REPORT] = run_state.of(environment).ledger.take()

    def add(data: dict[str, Any], **_: object) -> None:
        run_state.of(environment).ledger.add(data[REPORT])

    start()
    environment.events.test_start.add_listener(start)
    environment.events.test_stop.add_listener(lambda **_: run_state.of(environment).end())
    if is_worker:
        environment.events.report_to_master.add_listener(hand_over)
    else:
        environment.events.worker_report.add_listener(add)
    open_loop.install(environment, SETTINGS.load, SETTINGS.seed or 0)
    if environment.web_ui:
        live_page.install(environment, SETTINGS)


def _choose_users(environment: Environment, *, named: bool) -> None:
    """Leave out users that run when they are named; end a run that cannot go anywhere."""
    if environment.host and not is_host(environment.host):
        sys.exit(f"tidegate: --host={environment.host}: expected {HOST}")
    kinds = environment.user_classes
    environment.user_classes = [kind for kind in kinds if named or not getattr(kind, "by_name_only", False)]
    for kind in environment.user_classes:
        if reason := getattr(kind, "unusable", ""):
            sys.exit(f"tidegate: {reason}")


@events.init.add_listener
def count_time_from_here(**_: object) -> None:
    """Let `-t` count from now: gevent's clock has stood still while modules were imported, and would take that off."""
    gevent.get_hub().loop.update_now()


@events.quitting.add_listener
def judge(environment: Environment, **_: object) -> None:
    """Exit with 1 when a request failed, or when none was made: a run that proves nothing must not look green."""
    if isinstance(environment.runner, WorkerRunner):  # it has handed its counts over
        return
    state = run_state.of(environment)
    if lost := state.ledger.never_due(state.planned, int(state.elapsed_s()) - 1):
        logger.error("%d arrivals were never due: a worker left and took its share of them along", lost)
    total = environment.stats.total
    if not environment.process_exit_code and (lost or total.num_failures or not total.num_requests):
        environment.process_exit_code = 1


class ApiUser(CheckedUser):
    """A program: JSON in row or column form, a few rows at a time."""

    abstract = SETTINGS.model != AND_GATE
    weight = 3

    @task
    def predict(self) -> None:
        """Send rows and check every row's class."""
        rows = and_gate.draw(self.rows(), self.source)
        asked = self.source.choice(tuple(ANSWERS))
        self.post_json(
            predict_path(AND_GATE),
            json.dumps({asked: rows}),
            f"predict {asked}",
            lambda said: _problem(said, rows, ANSWERS[asked]),
        )


def _problem(said: object, rows: list[and_gate.Row], key: str) -> str:
    if not isinstance(said, dict) or key not in said:
        return f"expected JSON with {key}, came {str(said)[:80]}"
    return and_gate.wrong(rows, said[key])
