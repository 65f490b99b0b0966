"""Figures of a verdict about requests: how many, how fast, how many lost, and how the generator did."""

from dataclasses import dataclass

from tidegate_proof.record.documents import Real


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Exact quantiles, by nearest rank, in ns.

    A quantile is None where that share of the arrivals has no right answer: it counts as never.

    Attributes:
        p50: The 50th percentile.
        p90: The 90th.
        p95: The 95th.
        p99: The 99th.
        p999: The 99.9th.
        max: Of the right answers; None without any.
        n: Right answers.
    """

    p50: int | None
    p90: int | None
    p95: int | None
    p99: int | None
    p999: int | None
    max: int | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseFigures:
    """What became of the arrivals of a phase, by intended time.

    Attributes:
        name: From the plan.
        start_s: The same.
        end_s: The same.
        measured: The same.
        change: The same.
        arrivals: Intended.
        sent: Of them.
        answered: With any status.
        right: Answered 200 and as expected, however late.
        good: Right within the SLO's latency.
        goodput_rps: Good ones a second.
        undispatched: Never sent.
        errors: By word, those that occurred.
        latency_ns: From the intended start; unanswered and wrong ones count as never.
        service_ns: From sending, of right answers alone: what a closed loop would have shown.
        violation_s: Seconds of windows in which the SLO was not kept.
    """

    name: str
    start_s: int
    end_s: int
    measured: bool
    change: bool
    arrivals: int
    sent: int
    answered: int
    right: int
    good: int
    goodput_rps: Real
    undispatched: int
    errors: dict[str, int]
    latency_ns: Quantiles
    service_ns: Quantiles
    violation_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Over the measured phases; `lost` over the whole run.

    Attributes:
        arrivals: Intended.
        answered: With any status.
        right: Answered 200 and as expected.
        good: Right within the SLO's latency.
        good_share: Of the arrivals.
        undispatched: Never sent.
        lost: Sent and never answered, and answers of gateways that nobody got and no failure explains.
        idle_closes: Requests sent again because the gateway was just closing their idle connection; no loss.
        violation_s: Seconds of windows in which the SLO was not kept.
        duration_s: Seconds.
        latency_ns: As in the phases.
    """

    arrivals: int
    answered: int
    right: int
    good: int
    good_share: Real
    undispatched: int
    lost: int
    idle_closes: int
    violation_s: int
    duration_s: int
    latency_ns: Quantiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """Latencies from the intended start, for a picture.

    Attributes:
        bin_s: Length of a row.
        bounds_ns: Upper bounds of all columns but the last, which has what took longer.
        counts: Right answers, by row and column.
        never: Others, by row.
    """

    bin_s: int
    bounds_ns: tuple[int, ...]
    counts: tuple[tuple[int, ...], ...]
    never: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """Intended to sent, in ns.

    Attributes:
        p50: The median.
        p99: The 99th percentile.
        max: The most.
    """

    p50: int
    p99: int
    max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """Whether the generator kept up.

    Attributes:
        lag_ns: None when nothing was sent.
        busy: The largest share of a core it used over a measured phase; None without looks at it.
        undispatched_share: Of the arrivals of the run.
    """

    lag_ns: Lag | None
    busy: Real | None
    undispatched_share: Real


@dataclass(frozen=True, slots=True, kw_only=True)
class PodAnswers:
    """Whether a gateway's answers arrived.

    Attributes:
        answered: By its own count, since the run began; None where it began to count anew, or left no last word.
        received: By the client.
        missing: Numbers of answers that never arrived; None as `answered`.
        twice: Numbers that arrived more than once, or are above the gateway's total.
    """

    answered: int | None
    received: int
    missing: int | None
    twice: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Requests without an answer, over the whole run.

    Attributes:
        client: Sent and not answered.
        at_client: Ids of the first hundred of them.
        gateway: Answers that gateways gave and the client did not get.
        unexplained: Of those, the ones beyond what the client saw fail after sending.
        by_pod: By gateway.
        reconciled: Whether both ends agree: every gateway's last word is there, no number came twice or is unexplained.
    """

    client: int
    at_client: tuple[int, ...]
    gateway: int
    unexplained: int
    by_pod: dict[str, PodAnswers]
    reconciled: bool
