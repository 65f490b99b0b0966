"""The processes' output as it passes: every line is shown, and what a person would have to look for is kept."""

import json
import re
import sys
import threading
from typing import IO

LINE = re.compile(r"\d\d:\d\d:\d\d (?P<process>\S+) *\| ?(?P<said>.*)", re.DOTALL)
"""How honcho writes a line."""

COLOURS = {"model-server.1": 36, "gateway.1": 33}
"""ANSI's, of a line's head; honcho, which writes to a pipe, leaves them out."""

LAST_WORDS = {"model-server.1": "tidegate-model-server: ", "gateway.1": "tidegate-web: "}
"""How each begins to say why it cannot start."""

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
        self._speaker = ""
        self.warnings: list[str] = []
        self._thread = threading.Thread(target=self._pass_on, name="log", daemon=True)
        self._thread.start()

    def why_it_ended(self) -> str:
        """Return why one of the processes did not start, in its words; empty where none said so."""
        text = "\n".join(self._last_words)
        not_loaded = NOT_LOADED.search(text)
        return f"the model server could not load {not_loaded[1]}" if not_loaded else text

    def join(self, timeout_s: float) -> None:
        """Wait for the last line."""
        self._thread.join(timeout_s)

    def _pass_on(self) -> None:
        for line in self._lines:
            found = LINE.match(line.rstrip("\n"))
            if found is not None:
                self._keep(found["process"], found["said"])
            if found is not None and self._coloured and found["process"] in COLOURS:
                head = line[: found.start("said")]
                line = f"\033[{COLOURS[found['process']]}m{head}\033[0m{found['said']}\n"  # noqa: PLW2901
            self._shown.write(line)
            self._shown.flush()

    def _keep(self, process: str, said: str) -> None:
        begin = LAST_WORDS.get(process)
        if begin and said.startswith(begin) and not self._last_words:  # the other one is stopped for it
            self._speaker = process
            self._last_words = [said.removeprefix(begin)]
        elif said.startswith("{"):
            self._keep_entry(said)
        elif self._last_words and process == self._speaker:
            self._last_words.append(said)

    def _keep_entry(self, said: str) -> None:
        try:
            entry = json.loads(said)
        except ValueError:  # somebody else's line
            return
        if entry.get("logger") == MODEL_LOGGER and entry.get("level") == "WARNING":
            self.warnings.append(f"{entry.get('folder', '')}: {entry.get('message', '')}")
