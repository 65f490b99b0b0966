"""The sections that add up: pods against an oracle, what each pod got, and where every request went."""

from collections.abc import Sequence

from tidegate_proof.record.load_figures import PhaseFigures, PodAnswers
from tidegate_proof.record.plan import TIERS, Tier
from tidegate_proof.record.scaling_figures import Elasticity, Oracle, PodShare
from tidegate_proof.report.page import Listing, Part, Section, Words
from tidegate_proof.report.run import Run
from tidegate_proof.report.tables import Cell, Column, Mark, Noted, Table, bar
from tidegate_proof.report.wording import MISSING, clock, count, digits, percent, rate, seconds, several
from tidegate_proof.verdict.outcomes import SECOND


def pods(run: Run) -> Section:
    """Hold the pods that there were against those that one who knew the load beforehand would have had."""
    figures = run.verdict.figures
    lead = (
        "The oracle knows the whole load beforehand, has whole pods that carry what the knee says, the same bounds and "
        "the same time for a pod to start. Pods over it cost money, pods under the demand cost latency."
    )
    parts: list[Part] = [_oracle(run)]
    if figures.elasticity:
        parts.append(_elasticity(run))
    if run.record.plan.forecast is not None:
        parts += [_forecast(run), Words([f"Forecast by {run.record.plan.forecast.source}."])]
    return Section("pods", "Pods", "Pods against an oracle", lead, parts)


def _oracle(run: Run) -> Table:
    columns = [Column("Tier"), Column("Pod-seconds", number=True), Column("")]
    rows = [row for tier, oracle in run.verdict.figures.oracle.items() for row in _against(tier, oracle)]
    empty = "Without a knee nobody knows what one pod carries, and so not how many were needed."
    return Table("Pods against an oracle", columns, rows, empty)


def _against(tier: Tier, oracle: Oracle) -> list[list[Cell]]:
    """Compare a tier's pod-seconds, as bars of one measure."""
    known = f"a pod carries {rate(oracle.capacity_rps)} and starts in {oracle.start_delay_s} s"
    measures = (
        (f"{tier}: there were", oracle.pod_seconds, "from the first sight of each pod until it was gone", tier),
        (f"{tier}: the oracle", oracle.oracle_pod_seconds, known, "oracle"),
        (f"{tier}: too many", oracle.over_pod_seconds, "summed over the seconds with more than the oracle", "past"),
        (f"{tier}: too few", oracle.under_pod_seconds, "needed and not ready", "past"),
    )
    most = max(many for _, many, _, _ in measures) or 1
    return [[Noted(name, why), count(many), bar(many / most, style)] for name, many, why, style in measures]


def _elasticity(run: Run) -> Table:
    titles = (
        "θU: too few by",
        "θO: too many by",
        "τU: time with too few",
        "τO: time with too many",
        "Decisions an hour",
    )
    columns = [Column("Tier"), *(Column(title, number=True) for title in titles)]
    rows = [[tier, *_metrics(of)] for tier, of in run.verdict.figures.elasticity.items()]
    return Table("Elasticity", columns, rows, heading="Elasticity, as SPEC's research group defines it")


def _metrics(of: Elasticity) -> list[str]:
    shares = (of.theta_u, of.theta_o, of.tau_u, of.tau_o)
    return [*(f"{digits(share)} %" for share in shares), digits(of.adaptations_per_hour)]


def _forecast(run: Run) -> Table:
    titles = ("The very number", "Within one look of the controller", "Beside the forecast, on average")
    columns = [Column("Tier"), *(Column(title, number=True) for title in titles)]
    rows = [
        [tier, percent(of.same_share), percent(of.near_share), f"{of.mean_difference:+.2g} pods"]
        for tier, of in run.verdict.figures.forecast.items()
    ]
    return Table("Forecast", columns, rows, "There is no forecast.", "Desired pods, beside what the plan foresaw")


def spread(run: Run) -> Section:
    """Show what each pod got of the load while it was ready."""
    lead = (
        "A pod's share of the requests sent while it was ready, beside the share that an even spread over all ready "
        "pods of its tier would have given it (the upright line). A new pod that idles would stand out."
    )
    shares = run.verdict.figures.pods
    order = sorted(shares, key=lambda name: (shares[name].tier, shares[name].first_ns or 0, name))
    largest = max((max(pod.share_while_ready, pod.fair_share) for pod in shares.values()), default=1) or 1
    columns = [
        Column("Pod"),
        Column("Requests", number=True),
        Column("Ready for", number=True),
        Column("Share while ready", number=True),
        Column("Even", number=True),
        Column(""),
        Column("First and last answer"),
    ]
    rows = [[name, *_share(shares[name], largest)] for name in order]
    told = [
        f"Tier {tier}: of {several(of.pods, 'pod')} the one with least got {digits(of.least)}, the one with most "
        f"{digits(of.most)} times its even share."
        for tier in reversed(TIERS)
        if (of := run.verdict.figures.spread.get(tier)) and of.least is not None and of.most is not None
    ]
    return Section("spread", "Spread", "What each pod got", lead, [Table("Pods", columns, rows), Words(told)])


def _share(pod: PodShare, largest: float) -> list[str]:
    first, last = (MISSING if at is None else clock(at / SECOND) for at in (pod.first_ns, pod.last_ns))
    return [
        count(pod.requests),
        seconds(pod.ready_s),
        percent(pod.share_while_ready),
        percent(pod.fair_share),
        bar(pod.share_while_ready / largest, pod.tier, pod.fair_share / largest),
        f"{first} to {last}",
    ]


def lost(run: Run) -> Section:
    """Follow every request, from the one intended to the answer counted, on both ends."""
    figures = run.verdict.figures
    lead = (
        "Each request has an id, and each gateway numbers its answers without a gap; its last log line has its total. "
        "So a lost request shows at the client, at a gateway, or as a difference between them."
    )
    agreed = Mark(figures.lost.reconciled, "both ends agree" if figures.lost.reconciled else "the ends do not agree")
    rows: list[list[Cell]] = [
        ["Sent and never answered, by the client", count(figures.lost.client), ""],
        ["Answered by a gateway and never received", count(figures.lost.gateway), ""],
        ["Of these, beyond what the client saw fail", count(figures.lost.unexplained), agreed],
    ]
    columns = [Column("Whole run"), Column("Requests", number=True), Column("Verdict")]
    ends = Table("Requests lost at each end", columns, rows)
    parts: list[Part] = [_flow(run), ends, _gateways(run)]
    if figures.lost.at_client:
        ids = ", ".join(map(str, figures.lost.at_client))
        parts.append(Listing("Ids that the client sent and nobody answered, the first hundred", ids))
    return Section("lost", "Lost requests", "Where every request went", lead, parts)


def refusals(phases: Sequence[PhaseFigures]) -> int:
    """Count what was answered with another status than 200 in the measured phases."""
    return sum(phase.errors.get("refused", 0) for phase in phases if phase.measured)


def _flow(run: Run) -> Table:
    total = run.verdict.figures.total
    columns = [Column("Measured phases"), Column("Requests", number=True), Column("Of all", number=True)]
    steps = (
        ("Intended", total.arrivals, "by the plan's arrivals"),
        ("Never sent", total.undispatched, "the generator had no room; they count as failed"),
        ("Answered", total.answered, "with any status"),
        (
            "Refused",
            refusals(run.verdict.figures.phases),
            "answered with another status than 200; they count as failed",
        ),
        ("Answered right", total.right, "status 200, and the answer is the expected one"),
        ("Good", total.good, "right, and within the objective's latency from the intended start"),
        ("Sent again", total.idle_closes, "met a connection that was being closed for idleness; no loss"),
    )
    rows: list[list[Cell]] = [
        [Noted(name, why), count(many), percent(many / total.arrivals if total.arrivals else None)]
        for name, many, why in steps
    ]
    return Table("What became of the requests", columns, rows)


def _gateways(run: Run) -> Table:
    titles = ("It answered", "The client received", "Missing", "Twice")
    columns = [Column("Gateway pod"), *(Column(title, number=True) for title in titles), Column("Verdict")]
    rows = [[name, *_account(of)] for name, of in sorted(run.verdict.figures.lost.by_pod.items())]
    return Table("Each gateway's account", columns, rows, heading="Gateway by gateway")


def _account(of: PodAnswers) -> list[Cell]:
    held = of.missing == 0 and of.twice == 0
    counts = (of.answered, of.received, of.missing, of.twice)
    return [*map(count, counts), Mark(held, "accounted for" if held else "not accounted for")]
