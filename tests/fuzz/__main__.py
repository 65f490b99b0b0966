"""Send hostile requests to a gateway of its own.

    python -m tests.fuzz [--count 100000] [--seed 1] [--keep FOLDER]

Case N of a run is made from the seed plus N alone, so any finding can be made again. Prints what was answered and every
finding, keeps the findings' bytes in the folder, and ends with 1 if there are any. Those that were understood and
mended go to tests/fuzz/corpus, which every test run replays.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from tests.fuzz.campaign import Campaign, attack, start_gateway
from tests.resilience.processes import staged

SHOWN = 20


def main() -> int:
    """Run a campaign."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="write the findings' bytes there")
    chosen = parser.parse_args()
    started = time.monotonic()
    campaign = uvloop.run(run(range(chosen.seed, chosen.seed + chosen.count)))
    print(f"{campaign.kinds.total()} cases in {time.monotonic() - started:.0f} s: {dict(campaign.kinds)}")
    print(f"answers (0: closed without one): {dict(sorted(campaign.statuses.items()))}")
    print(f"memory grew by {campaign.growth_bytes / 2**20:.1f} MiB; {len(campaign.findings)} findings")
    for finding in campaign.findings[:SHOWN]:
        print(
            f"- seed {finding.seed} ({finding.case.kind}): {finding.complaint[:300]}\n    {finding.case.data[:300]!r}"
        )
    if chosen.keep is not None:
        chosen.keep.mkdir(parents=True, exist_ok=True)
        for finding in campaign.findings:
            (chosen.keep / f"{finding.case.kind}-{finding.seed}.http").write_bytes(finding.case.data)
    return 1 if campaign.findings else 0


async def run(seeds: range) -> Campaign:
    """Attack a gateway of our own."""
    with tempfile.TemporaryDirectory(prefix="tidegate-") as folder, staged(Path(folder)) as stage:
        return await attack(await start_gateway(stage), seeds)


if __name__ == "__main__":
    sys.exit(main())
