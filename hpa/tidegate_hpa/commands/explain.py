"""`tidegate-hpa explain`: how the next number of replicas comes about."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate_hpa import documents, live, snapshot, state
from tidegate_hpa.answer import answer
from tidegate_hpa.diagnoses import diagnose
from tidegate_hpa.errors import InputError
from tidegate_hpa.explain import explain
from tidegate_hpa.paint import Paint
from tidegate_hpa.steps import steps

if TYPE_CHECKING:
    import argparse

    from tidegate_hpa.horizontal import Reconciliation
    from tidegate_hpa.node import Node
    from tidegate_hpa.snapshot import Snapshot


_FRESH = (
    "What the controller recommended before is not known here: like a fresh one, it takes what runs as recommended "
    "just now. --state says what it remembers."
)


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parser = commands.add_parser("explain", help="show one reconcile of each HPA, step by step", description=__doc__)
    parser.add_argument(
        "file",
        metavar="FILE | NAME",
        nargs="?",
        help="a List of Kubernetes objects, JSON or YAML (- is stdin); with --live an HPA's name, else all of them",
    )
    parser.add_argument("--live", action="store_true", help="read the cluster of your kubectl instead of a file")
    parser.add_argument("-n", "--namespace", help="with --live; your context's if it is not said")
    parser.add_argument("--save", metavar="FILE", type=Path, help="with --live: write what was read there, as a List")
    parser.add_argument("--state", metavar="STATE", help="the controller's state, JSON or YAML")
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Answer for every HPA of a List or of a namespace.

    Raises:
        InputError: the file, the state or the cluster's answer cannot be used.
    """
    if not arguments.live and (arguments.file is None or arguments.namespace or arguments.save):
        raise InputError("expected a FILE, or --live with --namespace and --save as you like")
    started = _state(arguments.state)
    if arguments.live:
        taken = snapshot.take(_live(arguments))
    else:
        read = documents.parse(_text(arguments.file), arguments.file)
        with documents.within(arguments.file):
            taken = snapshot.take(read)
    if not taken.autoscalers:
        raise InputError(f"{arguments.file}: expected at least one HorizontalPodAutoscaler, found none")
    keys = [hpa.key for hpa in taken.autoscalers]
    for stranger in sorted(started.memories.keys() - set(keys)):
        told = f"{stranger!r} is no HPA of the input (expected one of {', '.join(keys)})"
        print(f"tidegate-hpa: {arguments.state}: {told}", file=sys.stderr)
    results = explain(taken, started)
    if arguments.live and arguments.file:
        results = [result for result in results if result.hpa.name == arguments.file]
    if arguments.output == "json":
        print(json.dumps([answer(result) for result in results], ensure_ascii=False))
        return 0
    paint = Paint.of(sys.stdout)
    source = None if arguments.live else "standard input" if arguments.file == "-" else arguments.file
    for result in results:
        _print(taken, result, started, paint, source)
    windows = (result.normalized for result in results if result.normalized)
    stabilized = any(window.stabilized != window.recommendation for window in windows)
    if not arguments.state and (arguments.live or stabilized):
        print(_FRESH)
    return 0


def _live(arguments: argparse.Namespace) -> list[Node]:
    reading = live.read(live.kubectl, arguments.namespace, arguments.file)
    for failure in reading.failures:
        print(f"tidegate-hpa: {failure}", file=sys.stderr)
    if arguments.save:
        arguments.save.write_text(live.as_json(reading), encoding="utf-8")
    return reading.documents


def _print(taken: Snapshot, result: Reconciliation, started: state.State, paint: Paint, source: str | None) -> None:
    print(paint.bold(result.hpa.key))
    *before, outcome = steps(result)
    for step in before:
        print(" ", step)
    print(" ", paint.bad(outcome) if result.error else paint.good(outcome))
    for diagnosis in diagnose(taken, result, started.settings, source):
        print(" ", paint.bad(f"! {diagnosis.problem}"))
        print("   ", diagnosis.remedy)


def _text(name: str) -> str:
    # Standard input by its number is a file like others: its bytes are UTF-8, whatever the locale
    return documents.read(Path("/dev/stdin") if name == "-" else Path(name))


def _state(name: str | None) -> state.State:
    if name is None:
        return state.State()
    read = documents.parse(_text(name), name)
    if len(read) != 1:
        raise InputError(f"{name}: expected one object, found {len(read)}")
    with documents.within(name):
        started = state.read(read[0])
    for unknown in started.unknown:
        print(f"tidegate-hpa: {name}: {unknown!r} means nothing here", file=sys.stderr)
    return started
