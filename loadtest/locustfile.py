"""Locust's entry: two kinds of users, both of which check what they are answered.

locust -f loadtest --host http://127.0.0.1:8080
locust -f loadtest --host http://127.0.0.1:8080 --headless -u 20 -r 5 -t 1m ApiUser
"""

import os
import random
import re
import uuid
from argparse import ArgumentParser

import and_gate
from locust import FastHttpUser, between, events, task
from locust.contrib.fasthttp import ResponseContextManager
from locust.env import Environment

DEFAULT_HOST = "http://127.0.0.1:8080"
PREDICT = "/v1/models/and_gate:predict"
RESULT = re.compile(r'<output id="result" data-class="(\d)"')
SEED = os.environ.get("TIDEGATE_SEED")


@events.init_command_line_parser.add_listener
def add_options(parser: ArgumentParser) -> None:
    """Add our options to Locust's; they are on its page too."""
    parser.add_argument("--rows", type=int, default=0, help="Rows in each API request (default 0: a mix of 1 to 32)")
    parser.add_argument("--think", type=float, default=0.0, help="Mean seconds that a user waits between two requests")
    parser.set_defaults(stop_timeout="10")  # Locust's own 0 would cut requests in flight and call them failures


@events.quitting.add_listener
def judge(environment: Environment, **_: object) -> None:
    """Exit with 1 when a request failed, or when none was made: a run that proves nothing must not look green."""
    total = environment.stats.total
    if total.num_failures or not total.num_requests:
        environment.process_exit_code = 1


class CheckedUser(FastHttpUser):
    """What both users share: think time, and judging an answer."""

    abstract = True
    host = DEFAULT_HOST

    def on_start(self) -> None:
        """Give each user its own randomness."""
        self.source = random.Random(SEED)

    def wait_time(self) -> float:
        """Wait as long as --think says, on average."""
        mean = float(self.environment.parsed_options.think)
        return float(between(0.5 * mean, 1.5 * mean)(self)) if mean else 0.0


def refused(response: ResponseContextManager, status: int = 200) -> str:
    """Say what is wrong with an answer before its content; empty when nothing is."""
    if not response.status_code:
        return f"no answer: {getattr(response, 'error', 'connection closed')!r}"
    if response.status_code != status:
        return f"expected status {status}, came {response.status_code}"
    return ""


def settle(response: ResponseContextManager, problem: str) -> bool:
    """Count an answer as right, or as a failure that says what is wrong; gives whether it was right."""
    if problem:
        response.failure(problem)
    else:
        response.success()
    return not problem


class ApiUser(CheckedUser):
    """A program: JSON in row or column form, a few rows at a time."""

    weight = 3

    @task
    def predict(self) -> None:
        """Send rows and check every row's class."""
        count = int(self.environment.parsed_options.rows) or self.source.choice((1, 1, 1, 4, 32))
        rows = and_gate.draw(count, self.source)
        asked, answered = self.source.choice((("instances", "predictions"), ("inputs", "outputs")))
        request_id = uuid.uuid4().hex
        with self.client.post(
            PREDICT,
            json={asked: rows},
            headers={"X-Request-ID": request_id},
            name=f"predict {asked}",
            catch_response=True,
        ) as response:
            response.failure(problem) if (
                problem := self._problem(response, rows, answered, request_id)
            ) else response.success()

    @staticmethod
    def _problem(response: ResponseContextManager, rows: list[and_gate.Row], key: str, request_id: str) -> str:
        if problem := refused(response):
            return problem
        if response.headers is None or response.headers.get("X-Request-ID") != request_id:
            return "the answer belongs to another request"
        try:
            shares = response.json()[key]
        except (ValueError, KeyError, TypeError):
            return f"expected JSON with {key}, came {str(response.text)[:80]}"
        return and_gate.wrong(rows, shares)


class FormUser(CheckedUser):
    """A person with a browser: opens the form, fills it in, reads the result off the page."""

    weight = 1

    @task
    def fill_in_the_form(self) -> None:
        """Open the form, send it, and check the class on the page."""
        with self.client.get("/home", name="form open", catch_response=True) as page:
            if not settle(page, refused(page) or self._form_problem(page.text or "")):
                return
        (row,) = and_gate.draw(1, self.source)
        typed = {"model": "and_gate", "inputs.0": f"{row[0]:g}", "inputs.1": f"{row[1]:g}"}
        with self.client.post("/home", data=typed, name="form send", catch_response=True) as page:
            settle(page, refused(page) or self._result_problem(page.text or "", row))

    @staticmethod
    def _form_problem(page: str) -> str:
        return "" if 'name="inputs.0"' in page else "expected a form with inputs.0, came another page"

    @staticmethod
    def _result_problem(page: str, row: and_gate.Row) -> str:
        found = RESULT.search(page)
        if found is None:
            return "expected a result on the page, came none"
        wanted = and_gate.expected(row)
        return "" if int(found[1]) == wanted else f"wrong class for {row}: expected {wanted}, came {found[1]}"
