"""A user of the Open Inference Protocol; it runs when it is named: `locust -f loadtest OipUser`."""

import oip
from checked import SETTINGS
from model_user import PayloadUser
from payloads import Payload, Prepared


class OipUser(PayloadUser):
    """A program that speaks KServe's and Triton's protocol."""

    abstract = False
    by_name_only = True

    def send(self, payload: Payload, rows: list[Prepared]) -> None:
        """Send rows to `/v2`."""
        body = oip.body(payload.signature, [row.inputs for row in rows])

        def wrong(said: object) -> str:
            found = oip.rows_of(said, payload.signature, len(rows))
            return found if isinstance(found, str) else payload.wrong_rows(rows, found)

        self.post_json(f"/v2/models/{SETTINGS.model}/infer", body, f"infer {SETTINGS.model}", wrong)
