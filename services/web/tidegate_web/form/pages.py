"""The pages, rendered from the templates beside this module."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import jinja2

from tidegate_web.cards import ModelCard
from tidegate_web.form.assets import Assets
from tidegate_web.form.choice import Choice
from tidegate_web.form.curl import Command
from tidegate_web.form.examples import Judgement, ShownExample
from tidegate_web.form.fields import Group
from tidegate_web.form.result import ShownResult

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Of every page."""


@dataclass(frozen=True, slots=True)
class Pickers:
    """What there is to choose from, and what is chosen.

    Attributes:
        chosen: What was asked for.
        models: Names of models.
        versions: Versions that answer, the newest first.
        signatures: Names of signatures, each with whether the form can call it.
        signature: The one that is shown.
        version: The version that is shown.
    """

    chosen: Choice
    models: Sequence[str]
    versions: Sequence[int]
    signatures: Sequence[tuple[str, bool]]
    signature: str
    version: int


@dataclass(frozen=True, slots=True)
class Answered:
    """What a prediction brought: the answer, the same as a command, and how an example fared."""

    result: ShownResult
    command: Command
    judgement: Judgement | None


@dataclass(frozen=True, slots=True)
class FormPage:
    """Everything that the form's page shows.

    Attributes:
        card: What is told of the model.
        pickers: What there is to choose from.
        groups: The controls.
        examples: Rows to try.
        example: Number of the one that the form was filled with; 0 for none.
        request_id: For whoever reads the log.
        api_path: Where the API answers the same.
        answered: The answer to what was sent.
        refused: Whether what is wrong is what the model said of it.
    """

    card: ModelCard
    pickers: Pickers
    groups: Sequence[Group]
    examples: Sequence[ShownExample]
    example: int
    request_id: str
    api_path: str
    answered: Answered | None = None
    refused: bool = False

    @property
    def takes_files(self) -> bool:
        """Whether a file can go with it."""
        return any(field.kind in {"pixels", "file"} for group in self.groups for field in group.fields)

    @property
    def wrong(self) -> Sequence[tuple[str, str, str]]:
        """Id, label and error of each field that is wrong."""
        fields = (field for group in self.groups for field in group.fields)
        return [(field.id, field.label, field.error) for field in fields if field.error]


@dataclass(frozen=True, slots=True)
class Failure:
    """What an error page says.

    Attributes:
        title: What happened, in a few words.
        text: What is known of it.
        request_id: For whoever reads the log.
        away: Whether the model servers are away, so that trying again makes sense.
        parameters: What the page was about.
        typed: What was typed, to be sent again.
    """

    title: str
    text: str
    request_id: str
    away: bool
    parameters: dict[str, str]
    typed: dict[str, str]

    @property
    def back(self) -> str:
        """Where the form surely is: that of the model, where a version, label or signature was asked for, too."""
        model = self.parameters.get("model")
        return f"/home?{urlencode({'model': model})}" if model and len(self.parameters) > 1 else "/"


class Pages:
    """The templates, loaded once."""

    def __init__(self, assets: Assets) -> None:
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("tidegate_web.form"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals["asset"] = assets.address
        self._form = environment.get_template("form.html")
        self._failure = environment.get_template("failure.html")

    def form(self, page: FormPage) -> str:
        """Write the form, and the answer or the errors beside it."""
        return self._form.render(page=page)

    def failure(self, failure: Failure) -> str:
        """Write an error page that offers to send again what was typed."""
        return self._failure.render(failure=failure)
