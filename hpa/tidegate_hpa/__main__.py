"""tidegate-hpa: what the HorizontalPodAutoscaler does, and why."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from typing import TYPE_CHECKING

from .commands import explain, plan, simulate
from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTERRUPTED = 130
_PIPE_CLOSED = 141


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tidegate-hpa", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (explain, simulate, plan):
        command.add_to(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command of the command line; 2 on input that cannot be used, 1 on an answer that cannot be written."""
    chosen = _arguments().parse_args(arguments)
    try:
        code: int = chosen.run(chosen)
        sys.stdout.flush()
    except InputError as error:
        print(f"tidegate-hpa: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return _PIPE_CLOSED
    except OSError as error:
        _drop_output()
        print(f"tidegate-hpa: expected a place to write the answer to: {error}", file=sys.stderr)
        return 1
    return code


def _drop_output() -> None:
    """Let what is left in the buffer go nowhere: Python writes it once more as it ends."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
