"""tidegate-hpa: what the HorizontalPodAutoscaler does, and why."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from . import documents, snapshot, state
from .answer import answer
from .errors import InputError
from .explain import explain
from .steps import steps


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tidegate-hpa", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    explained = commands.add_parser("explain", help="show one reconcile of each HPA, step by step")
    explained.add_argument("file", metavar="FILE", help="a List of Kubernetes objects, JSON or YAML; - is stdin")
    explained.add_argument("--state", metavar="STATE", help="the controller's state, JSON or YAML")
    explained.add_argument("--output", choices=("text", "json"), default="text")
    return parser


def _read(name: str) -> str:
    return sys.stdin.read() if name == "-" else documents.read(Path(name))


def _explain(arguments: argparse.Namespace) -> int:
    taken = snapshot.take(documents.parse(_read(arguments.file), arguments.file))
    if not taken.autoscalers:
        raise InputError(f"{arguments.file}: expected at least one HorizontalPodAutoscaler, found none")
    started = state.State()
    if arguments.state:
        read = documents.parse(_read(arguments.state), arguments.state)
        started = state.read(read[0]) if read else started
    results = explain(taken, started)
    if arguments.output == "json":
        print(json.dumps([answer(result) for result in results], ensure_ascii=False))
    else:
        for result in results:
            print(result.hpa.key)
            for step in steps(result):
                print(" ", step)
    return 0


def main() -> int:
    """Run the command of the command line; 2 on input that cannot be used."""
    arguments = _arguments().parse_args()
    try:
        return _explain(arguments)
    except InputError as error:
        print(f"tidegate-hpa: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
