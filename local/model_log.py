"""The processes' output as it passes: shown line by line, and what the model server says of its models kept."""

import json
import re
import sys
import threading
from typing import IO

LINE = re.compile(r"\d\d:\d\d:\d\d (?P<process>\S+) *\| ?(?P<said>.*)", re.DOTALL)
"""How honcho writes a line."""

COLOURS = {"model-server.1": 36, "gateway.1": 33}
"""ANSI's, of a line's head; honcho, which writes to a pipe, leaves them out."""

PROGRAM = "tidegate-model-server: "
"""How the model server begins to say why it cannot start."""

NOT_LOADED = re.compile(r"did not become available: \{(.*)\}$", re.DOTALL)

MODEL_LOGGER = "tidegate_serving.savedmodel"
"""Whose warnings are about a model, not about the server."""


class ModelLog:
    """Passes lines on, from a thread of its own.

    Args:
        lines: What honcho writes.
        shown: Where a person sees it.
    """

    def __init__(self, lines: IO[str], shown: IO[str] = sys.stdout) -> None:
        self._lines, self._shown = lines, shown
        self._coloured = shown.isatty()
        self._last_words: list[str] = []
        self.warnings: list[str] = []
        self._thread = threading.Thread(target=self._pass_on, name="log", daemon=True)
        self._thread.start()

    def why_it_ended(self) -> str:
        """Return why the model server did not start, in its words; empty where it said nothing."""
        text = "\n".join(self._last_words)
        not_loaded = NOT_LOADED.search(text)
        return f"the model server could not load {not_loaded[1]}" if not_loaded else text

    def join(self, timeout_s: float) -> None:
        """Wait for the last line."""
        self._thread.join(timeout_s)

    def _pass_on(self) -> None:
        for line in self._lines:
            found = LINE.match(line.rstrip("\n"))
            if found is not None and found["process"] == "model-server.1":
                self._keep(found["said"])
            if found is not None and self._coloured and found["process"] in COLOURS:
                head = line[: found.start("said")]
                line = f"\033[{COLOURS[found['process']]}m{head}\033[0m{found['said']}\n"  # noqa: PLW2901
            self._shown.write(line)
            self._shown.flush()

    def _keep(self, said: str) -> None:
        if said.startswith(PROGRAM):
            self._last_words = [said.removeprefix(PROGRAM)]
        elif said.startswith("{"):
            self._keep_entry(said)
        elif self._last_words:
            self._last_words.append(said)

    def _keep_entry(self, said: str) -> None:
        try:
            entry = json.loads(said)
        except ValueError:  # somebody else's line
            return
        if entry.get("logger") == MODEL_LOGGER and entry.get("level") == "WARNING":
            self.warnings.append(f"{entry.get('folder', '')}: {entry.get('message', '')}")
