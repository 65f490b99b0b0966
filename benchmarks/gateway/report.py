"""Samples of interleaved rounds to ratios within a round, and those to a table."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from gateway.load import Sample

TARGET_CLIENTS = 64
TARGETS = {"echo": 0.75, "flask": 18.0}
"""What the gateway is to reach at 64 clients, as multiples of each."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some figures, with the least and the greatest."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        """Summarise figures; there is at least one."""
        return cls(statistics.median(figures), min(figures), max(figures))

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.least:.3g} to {self.greatest:.3g})"


@dataclass(frozen=True, slots=True)
class Case:
    """One body at one number of clients: the samples of each subject, one a round, in the order of the rounds."""

    body: str
    clients: int
    samples: Mapping[str, Sequence[Sample]]

    def rates_over(self, other: str) -> Spread | None:
        """The gateway's rate as a multiple of another's of the same round; None where one was not measured."""
        pairs = zip(self.samples.get("gateway", ()), self.samples.get(other, ()), strict=False)
        ratios = [gateway.rate / compared.rate for gateway, compared in pairs]
        return Spread.of(ratios) if ratios else None

    def added_round_trips(self) -> Spread | None:
        """What the gateway adds to the echo's p50, in echo's p50s."""
        pairs = zip(self.samples.get("gateway", ()), self.samples.get("echo", ()), strict=False)
        added = [(gateway.p50_ms - echo.p50_ms) / echo.p50_ms for gateway, echo in pairs]
        return Spread.of(added) if added else None

    def document(self) -> dict[str, object]:
        """The case as JSON."""
        compared = {"over_echo": self.rates_over("echo"), "over_flask": self.rates_over("flask")}
        compared["added_p50_in_echo_round_trips"] = self.added_round_trips()
        return {
            "body": self.body,
            "clients": self.clients,
            **{name: asdict(spread) for name, spread in compared.items() if spread is not None},
            "rounds": {name: [asdict(sample) for sample in samples] for name, samples in self.samples.items()},
        }


def cases_table(cases: Sequence[Case]) -> str:
    """Write the cases as a Markdown table: medians over the rounds, least and greatest in brackets."""
    names = list(cases[0].samples)
    compared = [name for name in names if name != "gateway" and "gateway" in names]
    head = [
        "body",
        "clients",
        *(f"{name} 1/s (p50, CPU)" for name in names),
        *(f"gateway ÷ {name}" for name in compared),
    ]
    rows = [
        [
            case.body,
            str(case.clients),
            *(_measured(case.samples[name]) for name in names),
            *(str(case.rates_over(name)) for name in compared),
        ]
        for case in cases
    ]
    return markdown([head, *rows])


def _measured(samples: Sequence[Sample]) -> str:
    rate = statistics.median(sample.rate for sample in samples)
    p50_ms = statistics.median(sample.p50_ms for sample in samples)
    told = [sample.cpu_us for sample in samples if sample.cpu_us is not None]
    cpu = f", {statistics.median(told):,.0f} µs" if told else ""
    broken = sum(sample.socket_errors for sample in samples)
    return f"{rate:,.0f} ({p50_ms:.3g} ms{cpu})" + (f", {broken} broken connections" if broken else "")


def targets(cases: Sequence[Case]) -> list[str]:
    """Say of each target whether it was reached; nothing where it was not measured."""
    said = []
    for case in cases:
        if case.body == cases[0].body and case.clients == TARGET_CLIENTS:
            for other, target in TARGETS.items():
                if (spread := case.rates_over(other)) is not None:
                    verdict = "reached" if spread.median >= target else "NOT reached"
                    said.append(f"{TARGET_CLIENTS} clients, gateway ÷ {other}: {spread}, target {target:g}: {verdict}")
        if case.clients == 1 and (added := case.added_round_trips()) is not None:
            said.append(f"one client, {case.body}: p50 + {added} echo round trips")
    return said


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Write rows as a Markdown table, the first as its head."""
    head, *rest = rows
    lines = [head, ["---"] * len(head), *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
