"""A person with a browser: opens the form of a model, fills it in, sends it, reads the answer off the page."""

from urllib.parse import urlencode, urlsplit

from locust.contrib.fasthttp import ResponseContextManager

from checked import SETTINGS
from form_page import Filled, FormError, fill_in, wrong_answer
from model_user import PayloadUser
from payloads import Payload, Prepared
from signatures import DEFAULT

FORM = "/home"


class FormUser(PayloadUser):
    """A user of the form, one row at a time, for any model."""

    abstract = False
    weight = 1

    def rows(self) -> int:
        """Give what a form takes."""
        return 1

    def send(self, payload: Payload, rows: list[Prepared]) -> None:
        """Open the form, send it, and check what the page says."""
        (row,) = rows
        chosen = {} if payload.signature.name == DEFAULT else {"signature": payload.signature.name}
        path = f"{FORM}?{urlencode({'model': SETTINGS.model} | chosen)}"
        filled: list[Filled] = []

        def unfit(page: ResponseContextManager) -> str:
            try:
                filled.append(fill_in(page.text or "", payload.signature, row.inputs))
            except FormError as error:
                return str(error)
            return ""

        if not self.ask("GET", path, unfit, name="form open", more=True):
            return
        (form,) = filled
        self.ask(
            "POST",
            form.action,
            lambda page: wrong_answer(page.text or "", payload, row),
            name="form send",
            data=dict(form.texts),
            files=form.files,
            headers=self._as_a_browser(path),
        )

    def _as_a_browser(self, path: str) -> dict[str, str]:
        """Say where the form was opened; posts from elsewhere are refused."""
        host = urlsplit(str(self.host))
        origin = f"{host.scheme}://{host.netloc}"
        return {"Origin": origin, "Referer": f"{origin}{path}", "Sec-Fetch-Site": "same-origin"}
