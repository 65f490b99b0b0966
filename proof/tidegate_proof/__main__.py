"""`tidegate-proof`: measure a deployment, and check what was measured."""

import argparse
import sys
from collections.abc import Sequence

from tidegate_proof.commands import judge, knee, prove, report, run, verify

COMMANDS = (prove, run, knee, verify, judge, report)
INTERRUPTED = 130
"""What a shell gives a command that Ctrl-C ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: Without the program's name; the process' own by default.

    Returns:
        The exit code; each command's help says what its codes mean.
    """
    parser = argparse.ArgumentParser(
        prog="tidegate-proof", description="Evidence of scaling: measured, recorded, checked."
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(subparsers)
        subparsers.choices[command.__name__.rpartition(".")[2]].set_defaults(main=command.main)
    args = parser.parse_args(argv)
    try:
        code: int = args.main(args)
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


if __name__ == "__main__":
    sys.exit(main())
