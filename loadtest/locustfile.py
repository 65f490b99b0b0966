"""Locust's entry: its options, its verdict, and the two kinds of users of the AND gate.

locust -f loadtest --host http://127.0.0.1:8080
locust -f loadtest --host http://127.0.0.1:8080 --headless -u 20 -r 5 -t 1m ApiUser
"""

import json
import re
from argparse import ArgumentParser

from locust import events, task
from locust.env import Environment

import and_gate
from checked import AND_GATE, MODEL, CheckedUser, post_rows, refused, settle

RESULT = re.compile(r'<output id="result" data-class="(\d)"')
ANSWERS = {"instances": "predictions", "inputs": "outputs"}


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


class ApiUser(CheckedUser):
    """A program: JSON in row or column form, a few rows at a time."""

    abstract = MODEL != AND_GATE
    weight = 3

    @task
    def predict(self) -> None:
        """Send rows and check every row's class."""
        rows = and_gate.draw(self.rows(), self.source)
        asked = self.source.choice(tuple(ANSWERS))
        post_rows(
            self.client,
            AND_GATE,
            json.dumps({asked: rows}),
            f"predict {asked}",
            lambda said: _problem(said, rows, ANSWERS[asked]),
        )


def _problem(said: object, rows: list[and_gate.Row], key: str) -> str:
    if not isinstance(said, dict) or key not in said:
        return f"expected JSON with {key}, came {str(said)[:80]}"
    return and_gate.wrong(rows, said[key])


class FormUser(CheckedUser):
    """A person with a browser: opens the form, fills it in, reads the result off the page."""

    abstract = MODEL != AND_GATE
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
