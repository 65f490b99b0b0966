"""The documentation page, rendered from the OpenAPI document."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from tidegate_web.errors import ANSWERS
from tidegate_web.openapi.outline import outline
from tidegate_web.openapi.programs import EXTENSION, printing

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

ASSETS = {"docs.css": "text/css", "docs.js": "text/javascript"}


@dataclass(frozen=True, slots=True)
class Try:
    """A request to copy or send.

    Attributes:
        summary: What it is.
        body: JSON; empty where there is none; None where the command makes it, as it is too long for a page.
        curl: The command that sends it.
    """

    summary: str
    body: str | None
    curl: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as the page shows it.

    Attributes:
        anchor: Its id in the page.
        method: In capitals.
        path: With names in braces where it is of any model.
        summary: What it does.
        description: More of that.
        parameters: Names in the path, and what they are.
        request: Outline of its body; empty where there is none.
        answer: Outline of its answer.
        statuses: Statuses of its errors.
        tries: What to send.
    """

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    parameters: Mapping[str, str]
    request: str
    answer: str
    statuses: tuple[str, ...]
    tries: tuple[Try, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The operations of one model, of any, or of the gateway."""

    anchor: str
    name: str
    description: str
    operations: tuple[Operation, ...]


def groups(document: Mapping[str, Any], origin: str) -> list[Group]:
    """Return what the page shows, by the document's tags.

    Args:
        document: As `/openapi.json` gives it.
        origin: Where the reader reached the gateway, e.g. `http://localhost:8080`.
    """
    schemas = document["components"]["schemas"]
    operations = [
        (operation["tags"][0], _operation(method.upper(), path, operation, schemas, origin))
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    return [
        Group(
            anchor=f"group-{number}",
            name=tag["name"],
            description=tag["description"],
            operations=tuple(operation for of_tag, operation in operations if of_tag == tag["name"]),
        )
        for number, tag in enumerate(document["tags"])
    ]


def _operation(
    method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any], origin: str
) -> Operation:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    return Operation(
        anchor=re.sub(r"[^A-Za-z0-9_-]", "-", operation["operationId"]),
        method=method,
        path=path,
        summary=operation["summary"],
        description=operation.get("description", ""),
        parameters={parameter["name"]: parameter["description"] for parameter in operation.get("parameters", ())},
        request=outline(body["schema"], schemas) if body else "",
        answer=outline(answer, schemas),
        statuses=tuple(status for status in operation["responses"] if status != "200"),
        tries=tuple(_tries(method, path, body, origin)),
    )


def _tries(method: str, path: str, body: Mapping[str, Any], origin: str) -> Iterator[Try]:
    if "{" in path:
        return
    url = shlex.quote(f"{origin}{path}")
    if method == "GET":
        yield Try("", "", f"curl -s {url}")
    elif not body.get("examples"):
        yield Try("", "", f"curl -s -X {method} {url}")
    post = f"curl -s {url} -H 'Content-Type: application/json' -d"
    for example in body.get("examples", {}).values():
        if EXTENSION in example:
            yield Try(example["summary"], None, f"{printing(example[EXTENSION])} | {post} @-")
        else:
            text = json.dumps(example["value"], ensure_ascii=False)
            yield Try(example["summary"], text, f"{post} {shlex.quote(text)}")


def _marked(text: str) -> Markup:
    """Write what stands between backquotes as code."""
    parts = text.split("`")
    return Markup("").join(Markup("<code>{}</code>").format(part) if n % 2 else part for n, part in enumerate(parts))


class DocsPage:
    """The template and its assets, loaded once.

    Args:
        layout: Where the pages' common layout is.
    """

    def __init__(self, layout: jinja2.BaseLoader) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.ChoiceLoader([jinja2.PackageLoader("tidegate_web.openapi"), layout]),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["marked"] = _marked
        self._environment.globals["asset"] = "/assets/{}".format
        self._template = self._environment.get_template("docs.html")
        folder = files("tidegate_web.openapi").joinpath("assets")
        self.assets = {name: folder.joinpath(name).read_bytes() for name in ASSETS}

    def render(self, document: Mapping[str, Any], origin: str) -> str:
        """Write the page.

        Args:
            document: As `/openapi.json` gives it.
            origin: Where the reader reached the gateway.
        """
        lead, *notes = document["info"]["description"].strip().split("\n\n")
        shown = groups(document, origin)
        table = sorted(ANSWERS.items(), key=lambda entry: entry[1].status)
        errors = [(answer, (kind.__doc__ or "").partition("\n")[0]) for kind, answer in table]
        version = document["info"]["version"]
        return self._template.render(
            version=version, lead=lead, notes=notes, groups=shown, errors=errors, origin=origin
        )
