"""Try to break a gateway, and report.

    python -m tests.resilience [SCENARIO …] [--full] [--output FILE]

Without a name every scenario runs. Each starts gateways (`python -m tidegate_web`) and stub model servers on loopback,
prints what it promised and what it saw, and the command ends with 1 if a promise does not hold. `--full` is what the
figures of docs/evidence are made with; without it each takes a few seconds.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from tests.resilience.processes import staged
from tests.resilience.report import Report
from tests.resilience.scenarios import SCENARIOS


def main() -> int:
    """Run the scenarios that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="*", choices=[*SCENARIOS, []], help=", ".join(SCENARIOS))
    parser.add_argument("--full", action="store_true", help="as many requests and restarts as the promise names")
    parser.add_argument("--output", type=Path, help="write the reports there as JSON")
    chosen = parser.parse_args()
    reports = [run(name, full=chosen.full) for name in chosen.scenario or SCENARIOS]
    if chosen.output is not None:
        document = {
            "command": "make test-resilience" if chosen.full else "python -m tests.resilience",
            "date": time.strftime("%Y-%m-%d"),
            "python": platform.python_version(),
            "machine": platform.machine(),
            "reports": [report.document() for report in reports],
        }
        chosen.output.parent.mkdir(parents=True, exist_ok=True)
        chosen.output.write_text(json.dumps(document, indent=1) + "\n")
    return 0 if all(report.holds for report in reports) else 1


def run(name: str, *, full: bool) -> Report:
    """Run one scenario in a folder of its own, and print its report."""
    report = Report(name, full)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tidegate-") as folder, staged(Path(folder)) as stage:
        uvloop.run(SCENARIOS[name](stage, report))
    report.figures["seconds"] = round(time.monotonic() - started, 1)
    print(report.table(), flush=True)
    return report


if __name__ == "__main__":
    sys.exit(main())
