"""A `kubectl` that points to a place, notes what it is asked, and answers from a table."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

SCRIPT = """\
#!{python}
import fnmatch, json, sys
asked = " ".join(sys.argv[1:])
with open({calls!r}, "a") as calls:
    calls.write(asked + "\\n")
for pattern, (code, text) in json.loads({answers!r}).items():
    if fnmatch.fnmatchcase(asked, pattern):
        (sys.stderr if code else sys.stdout).write(text)
        sys.exit(code)
"""

PLACE = "config view --minify --output jsonpath={.current-context}*"
NAMESPACE = "config view --minify --output jsonpath={.contexts*"


class Kubectl:
    """Writes the program; put `environment` around what is to find it.

    Args:
        folder: Where it goes.
        context: What it points to.
        namespace: In that cluster; empty for none that is named.
        answers: Exit code and words, by a pattern of the arguments. What no pattern matches succeeds in silence.
    """

    def __init__(
        self, folder: Path, context: str, namespace: str = "", answers: Mapping[str, tuple[int, str]] | None = None
    ) -> None:
        self._calls = folder / "calls"
        folder.mkdir(parents=True, exist_ok=True)
        self._calls.touch()
        table = {
            PLACE: (0, f"{context}\n{namespace}"),
            NAMESPACE: (0, namespace),
            "config current-context": (0, f"{context}\n"),
            **(answers or {}),
        }
        program = folder / "kubectl"
        program.write_text(SCRIPT.format(python=sys.executable, calls=str(self._calls), answers=json.dumps(table)))
        program.chmod(0o755)
        self.path = f"{folder}{os.pathsep}{os.environ['PATH']}"

    def calls(self) -> list[str]:
        """Return what it was asked, but where it points to."""
        lines = self._calls.read_text().splitlines()
        return [line for line in lines if not line.startswith(("config ", "version"))]
