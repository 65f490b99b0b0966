"""`python -m compare MODEL OLD,NEW`: may the new version take the old one's place?

Exit code 0 when nothing speaks against it, 1 when a threshold is passed or a change breaks clients, 2 when they could
not be compared. k8s/compare-versions.sh, which `make compare-versions` runs, calls it with PYTHONPATH=k8s:loadtest.
"""

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from compare import report
from compare.comparison import agreement
from compare.contract import changes, takes_the_same
from compare.latency import latency
from compare.replay import Gateway, Plan, Reference, Replayed, ReplayError, replay
from compare.verdict import Comparison, Thresholds, objections
from samples import Sample, SampleError, class_names, endless, examples, find_card, read_card
from signatures import DEFAULT, Signature, SignatureError, choose

DRAWN = 200
"""Rows that are drawn for a model without examples."""

ALLOWED = Thresholds()
CANNOT = 2
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Rows:
    """What is replayed.

    Attributes:
        samples: The rows.
        text: What they are and where they are from.
        names: Of classes.
    """

    samples: Sequence[Sample]
    text: str
    names: Sequence[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, and write what was found."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if not chosen.model:
        parser.error("which model? NAME=and_gate")
    if len(chosen.versions) != 2:  # noqa: PLR2004 the old one and the new one
        parser.error("which versions? The old one and the new one, by number or label: VERSIONS=1,2")
    allowed = Thresholds(chosen.threshold, chosen.accuracy_drop, chosen.latency_ratio)
    try:
        context, found = asyncio.run(_compare(chosen))
    except (ReplayError, SampleError, SignatureError) as error:
        sys.stderr.write(f"\ntidegate: {error}\n")
        return CANNOT
    except KeyboardInterrupt:
        sys.stderr.write("\ntidegate: stopped before all was compared\n")
        return INTERRUPTED
    against = objections(found, allowed)
    print(report.text(context, found, allowed, against))
    if chosen.json:
        Path(chosen.json).write_text(json.dumps(report.document(context, found, allowed, against), indent=2) + "\n")
    return 1 if against else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="the model's name")
    add("versions", metavar="OLD,NEW", type=_versions, help="numbers or labels")
    add("--host", default="http://127.0.0.1:8080", help="of the gateway (default %(default)s)")
    add("--samples", type=Path, metavar="FILE", help="a row on each line, as `instances` has it")
    add("--card", type=Path, metavar="FILE", help="a tidegate.json whose examples to send (default: the model's)")
    add("--count", type=_number, help=f"rows; the card's examples and drawn ones (default: the examples, or {DRAWN})")
    add("--requests", type=_number, default=DRAWN, help="to time, of each version (default %(default)s)")
    add("--signature", default=DEFAULT, help="default %(default)s")
    add("--seed", type=int, default=1, help="of drawn rows (default %(default)s)")
    add("--threshold", type=_share, default=ALLOWED.disagreement, help="share of rows that may differ (%(default)s)")
    add("--accuracy-drop", type=_share, default=ALLOWED.accuracy_drop, help="that is allowed (%(default)s)")
    add("--latency-ratio", type=float, default=ALLOWED.latency_ratio, help="of the medians (%(default)s)")
    add("--token-file", type=Path, metavar="FILE", help="holds a bearer token")
    add("--json", metavar="FILE", help="writes the report there too")
    return parser


def _versions(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 2:  # noqa: PLR2004 quantiles need two
        raise argparse.ArgumentTypeError(f"expected a number from 2, came {text}")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to 1, such as 0.05, came {text}")
    return share


async def _compare(chosen: argparse.Namespace) -> tuple[report.Context, Comparison]:
    old, new = (Reference(chosen.model, text) for text in chosen.versions)
    async with Gateway(chosen.host, _token(chosen.token_file)) as gateway:
        before, after = await gateway.signatures(old), await gateway.signatures(new)
        changed = changes(before, after)
        signature = choose(before, chosen.signature)
        rows = _rows(chosen, signature)
        if signature.name not in after or not takes_the_same(signature, after[signature.name]):
            context = report.Context(chosen.model, (str(old), str(new)), "nothing was sent", (), (), ((), ()), ())
            return context, Comparison(changed)
        done = await replay(gateway, Plan((old, new), signature, rows.samples, chosen.requests), _progress)
    expected = [sample.expected for sample in rows.samples]
    found = Comparison(
        changed,
        agreement(done[0].answers, done[1].answers, expected, rows.names),
        (latency(done[0].times_ms), latency(done[1].times_ms)) if all(len(one.times_ms) > 1 for one in done) else None,
    )
    names = (_resolved(old, done[0]), _resolved(new, done[1]))
    sent = [sample.row for sample in rows.samples]
    return report.Context(
        chosen.model, names, rows.text, sent, expected, (done[0].answers, done[1].answers), rows.names
    ), found


def _resolved(reference: Reference, replayed: Replayed) -> str:
    answered = ", ".join(replayed.versions - {""})
    return str(reference) if answered in {"", reference.text} else f"{reference} (version {answered})"


def _rows(chosen: argparse.Namespace, signature: Signature) -> Rows:
    path: Path | None = chosen.card or find_card(chosen.model)
    card: Mapping[str, object] = read_card(path) if path else {}
    names = class_names(card)
    if chosen.samples:
        samples = _read_samples(chosen.samples)[: chosen.count]
        return Rows(samples, f"{len(samples)} rows of {chosen.samples}", names)
    like = examples(card, signature)
    count = chosen.count or len(like) or DRAWN
    samples = list(islice(endless(signature, like, random.Random(chosen.seed)), count))  # noqa: S311 no secret
    taken = min(count, len(like))
    parts = [f"{taken} examples of {path}"] * (taken > 0) + [f"{count - taken} drawn rows"] * (count > taken)
    return Rows(samples, " and ".join(parts), names)


def _read_samples(path: Path) -> list[Sample]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SampleError(f"SAMPLES={path}: {error}") from None
    samples: list[Sample] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                samples.append(Sample(json.loads(line)))
            except ValueError as error:
                raise SampleError(f"{path}, line {number}: expected a row in JSON, such as [1, 1]: {error}") from None
    if not samples:
        raise SampleError(f"{path}: expected a row in JSON on each line, came none")
    return samples


def _token(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except OSError as error:
        raise SampleError(f"TOKEN_FILE={path}: {error}") from None
    return next((line for line in lines if line and not line.startswith("#")), "")


def _progress(done: int, of: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done} of {of} requests to each version " if done < of else "\r\033[K")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
