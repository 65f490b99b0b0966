"""Ask Kubernetes' own controller random cases, compare, and record: `python -m tests.hpa.oracle.record --help`."""

from __future__ import annotations

import argparse
import json
import lzma
import re
import subprocess
import sys
from pathlib import Path

from tests.hpa.oracle.cases import Generator
from tests.hpa.oracle.comparison import differences, ours

RECORDED = Path(__file__).parent.parent / "recorded.jsonl.xz"


def asked(oracle: Path, cases: list[dict[str, object]]) -> list[list[dict[str, object]]]:
    """Return the controller's answers."""
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    run = subprocess.run([oracle], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def main() -> int:
    """Compare; write the cases with `--record`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("oracle", type=Path, help="what build.sh built")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--record", action="store_true", help=f"write them to {RECORDED.name}, which the tests replay")
    arguments = parser.parse_args()
    generator = Generator(arguments.seed)
    cases = [generator.case() for _ in range(arguments.cases)]
    answers = asked(arguments.oracle, cases)
    wrong = 0
    for index, (case, theirs) in enumerate(zip(cases, answers, strict=True)):
        found = differences(ours(case), theirs)
        wrong += bool(found)
        for line in found:
            print(f"seed {arguments.seed}, case {index}: {line}")
    print(f"{arguments.cases - wrong} of {arguments.cases} cases answered as the controller does")
    if arguments.record and not wrong:
        text = "".join(
            json.dumps({**case, "answers": theirs}, separators=(",", ":")) + "\n"
            for case, theirs in zip(cases, answers, strict=True)
        )
        RECORDED.write_bytes(
            lzma.compress(re.sub(r'"ageSeconds":(\d+)\.0\b', r'"ageSeconds":\1', text).encode(), preset=9)
        )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
