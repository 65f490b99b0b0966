"""A user of any model: asks for its signature, sends the examples of its card and rows like them, checks the answers.

`LOADTEST_MODEL` names the model, `LOADTEST_CARDS` the folder of its card (in a checkout, those that are there).
"""

import json
from functools import cache
from time import sleep

from gevent.event import AsyncResult
from locust import task

import run_state
from checked import AND_GATE, SETTINGS, CheckedUser, parsed, predict_path, refused, settle
from ledger import Route
from payloads import Payload, Prepared, make_payload
from samples import CARD_FOLDERS, SampleError
from signatures import SignatureError

AGAIN_S = 1.0
"""How long a user waits before it asks for the signature again."""


@cache
def payload_of(metadata: str) -> Payload:
    """Prepare what to send once for all users of this process; see `make_payload`."""
    folders = (SETTINGS.cards,) if SETTINGS.cards else CARD_FOLDERS
    return make_payload(
        SETTINGS.model, json.loads(metadata), folders, seed=SETTINGS.seed, iterations=SETTINGS.iterations
    )


class PayloadUser(CheckedUser):
    """A program that learns what fits the model, and then sends it over one of the gateway's protocols."""

    abstract = True
    payload: Payload | None = None

    @task
    def predict(self) -> None:
        """Send rows and check every answer; first of all, learn what fits."""
        payload = self.payload or self._learn()
        if payload is None:
            self.finish(self.begin(), Route(), right=False)
            sleep(AGAIN_S)
            return
        self.payload = payload
        self.send(payload, payload.some(self.rows(), self.source))

    def send(self, payload: Payload, rows: list[Prepared]) -> None:
        """Send rows and judge what comes back."""
        raise NotImplementedError

    def on_start(self) -> None:
        """Learn what fits before there is something to do; one user of this process asks for all."""
        state = run_state.of(self.environment)
        if state.learned is None:
            state.learned = AsyncResult()
            payload = None
            try:
                payload = self._learn()
            finally:
                state.learned.set(payload)
        self.payload = state.learned.get()
        super().on_start()

    def _learn(self) -> Payload | None:
        """Ask for the signature; a failure is counted as any other request's."""
        path = f"/v1/models/{SETTINGS.model}/metadata"
        with self.client.get(path, name="metadata", catch_response=True) as response:
            if not settle(response, refused(response)):
                return None
            try:
                return payload_of(json.dumps(parsed(response)))
            except (SignatureError, SampleError) as error:
                settle(response, str(error))
                return None


class ApiUser(PayloadUser):
    """A program that uses the API with the model which the environment names: in the place of the AND gate's own."""

    abstract = SETTINGS.model == AND_GATE
    weight = 3

    def send(self, payload: Payload, rows: list[Prepared]) -> None:
        """Send rows over the API."""
        body = payload.signature.body([row.text for row in rows])
        name = f"predict {SETTINGS.model}"
        self.post_json(predict_path(SETTINGS.model), body, name, lambda said: payload.wrong(rows, said))
