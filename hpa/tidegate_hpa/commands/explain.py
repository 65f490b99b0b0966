"""`tidegate-hpa explain`: how the next number of replicas comes about."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate_hpa import documents, snapshot, state
from tidegate_hpa.answer import answer
from tidegate_hpa.errors import InputError
from tidegate_hpa.explain import explain
from tidegate_hpa.steps import steps

if TYPE_CHECKING:
    import argparse


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser("explain", help="show one reconcile of each HPA, step by step", description=__doc__)
    parser.add_argument("file", metavar="FILE", help="a List of Kubernetes objects, JSON or YAML; - is stdin")
    parser.add_argument("--state", metavar="STATE", help="the controller's state, JSON or YAML")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Answer for every HPA of a List.

    Raises:
        InputError: the file or the state cannot be used.
    """
    taken = snapshot.take(documents.parse(_text(arguments.file), arguments.file))
    if not taken.autoscalers:
        raise InputError(f"{arguments.file}: expected at least one HorizontalPodAutoscaler, found none")
    results = explain(taken, _state(arguments.state))
    if arguments.output == "json":
        print(json.dumps([answer(result) for result in results], ensure_ascii=False))
        return 0
    for result in results:
        print(result.hpa.key)
        for step in steps(result):
            print(" ", step)
    return 0


def _text(name: str) -> str:
    return sys.stdin.read() if name == "-" else documents.read(Path(name))


def _state(name: str | None) -> state.State:
    if name is None:
        return state.State()
    read = documents.parse(_text(name), name)
    if len(read) != 1:
        raise InputError(f"{name}: expected one object, found {len(read)}")
    started = state.read(read[0])
    for unknown in started.unknown:
        print(f"tidegate-hpa: {name}: {unknown!r} means nothing here", file=sys.stderr)
    return started
