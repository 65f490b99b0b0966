"""What `make run` serves: the variables that a person gave it, understood or refused."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from ports import Ports
from tidegate_serving.model_source import ModelSource, find

VARIABLES = ("MODEL", "NAME", "VERSIONS", *(port.name.upper() for port in fields(Ports)), "PYTHON", "VENV")
"""What `make run` reads, beside the gateway's own TIDEGATE_…"""

EXAMPLES = ("and_gate", "digits")
"""What is served unless the user names a model of their own; the form shows the first."""


class ChoiceError(Exception):
    """Variables that cannot be; the text says what was expected and what came."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What to serve.

    Attributes:
        model: MODEL, a path; empty for the examples.
        name: NAME, what to serve it as.
        versions: VERSIONS, which of its versions; the newest where it is empty.
    """

    model: str
    name: str
    versions: str

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Choice":
        """Read MODEL, NAME and VERSIONS.

        Raises:
            ChoiceError: A NAME without a MODEL.
        """
        model, name = environ.get("MODEL", ""), environ.get("NAME", "")
        if name and not model:
            raise ChoiceError(
                f"NAME={name}: expected MODEL=path/to/saved_model with it, which it names; "
                f"without both, {' and '.join(EXAMPLES)} are served"
            )
        return cls(model, name, environ.get("VERSIONS", ""))

    def sources(self, state: Path) -> list[ModelSource]:
        """Return where the models are; those of the examples may not be there yet.

        Args:
            state: The folder .run/.

        Raises:
            ChoiceError: VERSIONS cannot be used.
            ModelSourceError: MODEL or NAME cannot.
        """
        if self.model:
            sources = [find(self.model, self.name, state)]
        else:
            sources = [ModelSource(name, state / "models" / name) for name in EXAMPLES]
        if not self.versions:
            return sources
        if self.versions == "all":
            return [replace(source, every=True) for source in sources]
        if not self.model:
            raise ChoiceError(f"VERSIONS={self.versions}: expected MODEL=path/to/versions with it, or VERSIONS=all")
        return [replace(source, labels=_labels(self.versions, set(source.versions()))) for source in sources]


def check_variables(given: Iterable[str]) -> None:
    """Refuse a variable that nobody would read.

    Args:
        given: Names of those on make's command line.

    Raises:
        ChoiceError: One of them is misspelt.
    """
    for name in given:
        if name not in VARIABLES and not name.startswith("TIDEGATE_"):
            near = difflib.get_close_matches(name.upper(), VARIABLES, n=1, cutoff=0.5)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise ChoiceError(
                f"make run reads no {name}{hint}: expected one of {', '.join(VARIABLES)}, or the gateway's TIDEGATE_…"
            )


def _labels(text: str, there: set[int]) -> dict[str, int]:
    """Read `stable:1,canary:2`."""
    labels: dict[str, int] = {}
    for part in text.split(","):
        label, _, number = part.partition(":")
        if not label.isidentifier() or not number.isascii() or not number.isdigit():
            raise ChoiceError(f"VERSIONS={text}: expected all, or labels with versions such as stable:1,canary:2")
        if int(number) not in there:
            raise ChoiceError(f"VERSIONS={text}: no version {number}; there is {', '.join(map(str, sorted(there)))}")
        labels[label] = int(number)
    return labels
