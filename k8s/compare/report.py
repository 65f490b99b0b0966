"""A comparison as people read it, and as programs do."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from answers import class_of
from compare.comparison import Agreement, Answer, Difference
from compare.latency import Latency, ratio
from compare.verdict import Comparison, Thresholds

SHOWN = 3
"""Disagreements that are written in full."""

LONGEST = 300
"""Characters of a row or an answer that are written."""


@dataclass(frozen=True, slots=True)
class Context:
    """What was compared.

    Attributes:
        model: Its name.
        versions: What was asked for, the old one first, such as "label stable (version 1)".
        rows: What they are and where from, such as "8 examples of k8s/base/cards/and_gate.json".
        samples: The rows.
        expected: Their right answers; None where nobody knows.
        answers: Of the old version, and of the new one.
        names: Of classes.
    """

    model: str
    versions: tuple[str, str]
    rows: str
    samples: Sequence[object]
    expected: Sequence[object]
    answers: tuple[Sequence[Answer], Sequence[Answer]]
    names: Sequence[str]


def text(context: Context, found: Comparison, allowed: Thresholds, objections: Sequence[str]) -> str:
    """Write it for people."""
    return "\n".join(
        (
            f"{context.model}: {context.versions[0]} → {context.versions[1]}, {context.rows}",
            "",
            *_changes(found),
            *(_figures(found.agreement, allowed) if found.agreement else ()),
            *(_times(found.latencies, allowed) if found.latencies else ()),
            *(_disagreements(context, found.agreement) if found.agreement else ()),
            "",
            *(f"NO: {objection}" for objection in objections),
            *(() if objections else ("YES: within the thresholds",)),
        )
    )


def document(
    context: Context, found: Comparison, allowed: Thresholds, objections: Sequence[str]
) -> Mapping[str, object]:
    """Give it for programs; rows and answers of disagreements in full. NaN is null."""
    agreement = found.agreement
    return {
        "model": context.model,
        "versions": context.versions,
        "rows": context.rows,
        "thresholds": asdict(allowed),
        "passed": not objections,
        "objections": list(objections),
        "changes": [asdict(change) for change in found.changes],
        "agreement": agreement
        and {
            "rows": agreement.rows,
            "refused_by_both": agreement.refused,
            "newly_failing": agreement.newly_failing,
            "disagreement": agreement.share,
            "largest_difference": agreement.largest,
            "mean_difference": None if math.isnan(agreement.mean) else agreement.mean,
            "expected": agreement.expected,
            "right": agreement.right,
            "disagreements": [_disagreement(context, number, difference) for number, difference in agreement.different],
        },
        "latency_ms": found.latencies and [asdict(one) for one in found.latencies],
    }


def _disagreement(context: Context, number: int, difference: Difference) -> dict[str, Any]:
    return {
        "row": context.samples[number],
        "why": difference.why,
        "expected": context.expected[number],
        "answers": [answers[number].problem or answers[number].value for answers in context.answers],
    }


def _changes(found: Comparison) -> Iterator[str]:
    if not found.changes:
        yield "signature     the same"
    for change in found.changes:
        yield f"signature     {'BREAKING: ' if change.breaking else ''}{change.text}"


def _figures(agreement: Agreement, allowed: Thresholds) -> Iterator[str]:
    refused = f"; {agreement.refused} more are refused by both" if agreement.refused else ""
    yield (
        f"disagreement  {len(agreement.different)} of {agreement.rows} rows, {agreement.share:.1%} "
        f"(at most {allowed.disagreement:.1%}){refused}"
    )
    if not math.isnan(agreement.mean):
        yield f"numbers       {agreement.mean:.3g} apart on average, {agreement.largest:.3g} at most"
    if agreement.expected:
        old, new = (right / agreement.expected for right in agreement.right)
        yield (
            f"right         {agreement.right[0]} → {agreement.right[1]} of {agreement.expected}, "
            f"{old:.1%} → {new:.1%} (at most {allowed.accuracy_drop:.1%} lower)"
        )


def _times(latencies: tuple[Latency, Latency], allowed: Thresholds) -> Iterator[str]:
    old, new = latencies
    for name in ("p50", "p95", "p99"):
        before, after = getattr(old, name), getattr(new, name)
        bound = f" (at most {allowed.latency_ratio:g})" if name == "p50" else ""
        yield f"{name}           {before:.2f} → {after:.2f} ms, {ratio(before, after):.2f} times{bound}"


def _disagreements(context: Context, agreement: Agreement) -> Iterator[str]:
    if not agreement.different:
        return
    yield ""
    yield f"They disagree on{'' if len(agreement.different) <= SHOWN else f' (the first {SHOWN})'}:"
    for number, difference in agreement.different[:SHOWN]:
        yield f"  row {number + 1}  {_json(context.samples[number])}: {difference.why}"
        for version, answers in zip(context.versions, context.answers, strict=True):
            answer = answers[number]
            said = answer.problem or f"{_json(answer.value)}{_named(answer.value, context.names)}"
            yield f"    {version}: {said}"
        if context.expected[number] is not None:
            yield f"    expected: {_expected(context.expected[number], context.names)}"


def _json(value: object) -> str:
    written = json.dumps(value, ensure_ascii=False)
    return written if len(written) <= LONGEST else f"{written[:LONGEST]}… ({len(written)} characters)"


def _named(answer: object, names: Sequence[str]) -> str:
    best = class_of(answer)
    return f", which is {names[best]}" if best is not None and best < len(names) else ""


def _expected(expected: object, names: Sequence[str]) -> str:
    if isinstance(expected, int) and not isinstance(expected, bool) and 0 <= expected < len(names):
        return names[expected]
    return _json(expected)
