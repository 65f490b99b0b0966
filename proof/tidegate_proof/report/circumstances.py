"""The sections that let a reader doubt: thresholds, validity, surroundings, what cannot be shown, how to check."""

from tidegate_proof.record.documents import text_of
from tidegate_proof.record.verdict import Judged
from tidegate_proof.report.judged import demand, distance, drawn, figure
from tidegate_proof.report.limits import limits
from tidegate_proof.report.outcome import CONTROLS
from tidegate_proof.report.page import Listing, Section, Words
from tidegate_proof.report.run import Run
from tidegate_proof.report.tables import Cell, Column, Mark, Noted, Table
from tidegate_proof.report.wording import MISSING, digits, duration, rate, several
from tidegate_proof.verdict.controls import CONTROLS as CONTROLS_ON_RECORD

VERIFY = """\
tidegate-proof verify .
tidegate-proof verify . --controls    # and falsifies copies of the record, each of which has to be found out"""


def thresholds(run: Run) -> Section:
    """List the thresholds, with what was asked, what came, and by how much."""
    lead = "Written into the plan, each with its reason, before the first request was sent."
    if run.verdict.passed is None:
        lead += (
            " This run does not judge them: see the verdict. What the figures would have been stands here all the same."
        )
    elif run.record.plan.control is not None:
        lead += f" In this run {CONTROLS[run.record.plan.control]} on purpose: at least one has to break."
    reasons = {threshold.name: threshold.why for threshold in run.record.plan.thresholds}
    columns = [
        Column("Threshold"),
        Column("Verdict"),
        Column("Was", number=True),
        Column("Limit", number=True),
        Column("Margin", number=True),
        Column(""),
    ]
    rows = [
        [Noted(judged.name, reasons.get(judged.name, "")), *_judged(judged, judging=run.verdict.passed is not None)]
        for judged in run.verdict.thresholds
    ]
    return Section("thresholds", "Thresholds", "Thresholds", lead, [Table("Thresholds", columns, rows)])


def _judged(judged: Judged, *, judging: bool) -> list[Cell]:
    passed = judged.passed if judging else None
    return [
        Mark(passed, {True: "held", False: "broken", None: "not judged"}[passed]),
        figure(judged.metric, judged.value),
        demand(judged.metric, judged.op, judged.limit),
        distance(judged.metric, judged.limit, judged.value),
        drawn(judged.limit, judged.value, passed=passed),
    ]


def validity(run: Run) -> Section:
    """List what must hold for a run to say anything."""
    lead = "A load generator that lags measures itself. Beyond any of these limits a run is invalid, whatever it shows."
    columns = [Column("Check"), Column("Verdict"), Column("Was", number=True), Column("At most", number=True)]
    rows: list[list[Cell]] = [
        [
            check.name,
            Mark(check.passed, "in order" if check.passed else "beyond"),
            MISSING if check.value is None else digits(check.value),
            digits(check.limit),
        ]
        for check in run.verdict.validity
    ]
    return Section("validity", "Validity", "Was it measured well?", lead, [Table("Validity checks", columns, rows)])


def cannot(run: Run) -> Section:
    """Say what the run can show and what it cannot."""
    return Section("limits", "Limits", "What this run can show, and what it cannot", "", [Words(limits(run.record))])


def surroundings(run: Run) -> Section:
    """List where the run took place and with what."""
    plan = run.record.plan
    shape = plan.shape
    slo = plan.slo
    objective = f"{100 * slo.quantile:g} % of each {slo.window_s} s within {digits(slo.latency_ms)} ms"
    iterations = f", {plan.work_iterations} iterations a row" if plan.work_iterations else ""
    load = f"{shape.name}, {rate(shape.base)} to {rate(shape.peak)}, {duration(plan.duration_s)} in all"
    facts = [
        ("Scenario", f"{plan.scenario}: {load}"),
        ("Arrivals", f"{plan.process}, seed {plan.seed}, given up after {digits(plan.timeout_s)} s"),
        ("Objective", f"{objective}, {digits(100 * slo.success, 6)} % answered right"),
        ("Model", f"{plan.model}, {several(plan.rows, 'row')} a request{iterations}"),
        ("Kubernetes", f"{plan.cluster.kubernetes}, namespace {plan.cluster.namespace}"),
        *((f"Node {node.name}", f"{node.cpu} CPUs, {node.memory} memory") for node in plan.cluster.nodes),
        *((f"Image of {tier}", image) for tier, image in sorted(plan.cluster.images.items())),
        *((name.capitalize(), version) for name, version in sorted(plan.versions.items())),
    ]
    listings = [
        Listing(f"Autoscaler of tier {tier}, as applied", text_of(spec, indent=2).decode())
        for tier, spec in sorted(plan.autoscaler.items())
    ]
    table = Table("Surroundings", [Column(""), Column("")], [[name, value] for name, value in facts])
    return Section("surroundings", "Surroundings", "Where, and with what", "", [table, *listings])


def check(run: Run) -> Section:
    """Tell how to compute everything again."""
    lead = (
        "This file lies in the folder of its record. There, without a network or the cluster, the command below "
        "computes every figure again from the raw requests, watch events and gateway counts, and names the first thing "
        "that differs."
    )
    files = (
        ("plan.json", "what was to happen and what must show; its hash was printed before the first request"),
        (
            "requests.csv.gz",
            "every request: when it was intended, sent and answered in ns, by which pods, with which error",
        ),
        ("cluster.jsonl", "every event of autoscalers, pods and endpoints, on the same clock"),
        ("gateway.jsonl, generator.jsonl", "counts of each gateway and the generator's own load, second by second"),
        ("verdict.json", "the figures of this report"),
        ("manifest.json", "the sha256 of every file"),
    )
    table = Table("Files of the record", [Column("File"), Column("What it has")], [list(row) for row in files])
    falsified = Table(
        "Controls on the record",
        [Column("Control"), Column("What a falsified copy pretends")],
        [[control.name, control.title] for control in CONTROLS_ON_RECORD],
        heading="Controls that --controls tries",
    )
    here = f"In this folder, whose plan.json has the sha256 {run.plan_sha256}"
    return Section("verify", "Verify", "Check it yourself", lead, [Listing(here, VERIFY, open=True), table, falsified])
