"""The pages, rendered from the templates beside this module."""

from dataclasses import dataclass
from importlib.resources import files

import jinja2

from tidegate_web.form.fields import Group
from tidegate_web.form.result import ShownResult
from tidegate_web.prediction import ModelMetadata

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Failure:
    """What an error page says.

    Attributes:
        title: What happened, in a few words.
        text: What is known of it.
        request_id: For whoever reads the log.
        away: Whether the model servers are away, so that trying again makes sense.
    """

    title: str
    text: str
    request_id: str
    away: bool


class Pages:
    """The templates, loaded once."""

    def __init__(self) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("tidegate_web.form"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._form = self._environment.get_template("form.html")
        self._failure = self._environment.get_template("failure.html")
        self.stylesheet = files("tidegate_web.form").joinpath("assets/tidegate.css").read_bytes()

    def form(
        self, metadata: ModelMetadata, form: list[Group], result: ShownResult | None = None, *, invalid: bool = False
    ) -> str:
        """Write the form, with the result or the errors on top."""
        return self._form.render(model=metadata, groups=form, result=result, invalid=invalid)

    def failure(self, failure: Failure, model: str, typed: dict[str, str]) -> str:
        """Write an error page that offers to send again what was typed."""
        return self._failure.render(failure=failure, model=model, typed=typed)
