"""tidegate-hpa: what the HorizontalPodAutoscaler does, and why."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from .commands import explain, plan, simulate
from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTERRUPTED = 130


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tidegate-hpa", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (explain, simulate, plan):
        command.add_to(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command of the command line; 2 on input that cannot be used."""
    chosen = _arguments().parse_args(arguments)
    try:
        code: int = chosen.run(chosen)
    except InputError as error:
        print(f"tidegate-hpa: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return _INTERRUPTED
    return code


if __name__ == "__main__":
    sys.exit(main())
