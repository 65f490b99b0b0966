"""A run as the report takes it: what the record holds, read once."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tidegate_proof.record.documents import read_document
from tidegate_proof.record.errors import RecordError
from tidegate_proof.record.folder import PLAN, VERDICT, Record, read_record
from tidegate_proof.record.manifest import digest
from tidegate_proof.record.plan import Tier
from tidegate_proof.record.scaling_figures import Steps
from tidegate_proof.record.verdict import Verdict
from tidegate_proof.report.course import Course, Span, spans
from tidegate_proof.report.series import POD_BIN_S, Seconds, answers, seconds
from tidegate_proof.report.timeline import PodRow, Replicas
from tidegate_proof.verdict.outcomes import SECOND


@dataclass(frozen=True, slots=True)
class Run:
    """A run.

    Attributes:
        record: The raw data.
        verdict: What was computed from it.
        plan_sha256: Of plan.json as it lies in the folder.
        seconds: Its figures by second.
        answers: Of each pod, by bins of time.
    """

    record: Record
    verdict: Verdict
    plan_sha256: str
    seconds: Seconds
    answers: dict[str, list[int]]

    @property
    def title(self) -> str:
        """What was run, in a few words."""
        plan = self.record.plan
        broken = {None: "", "frozen-hpa": ", autoscaler frozen", "pinned": ", pinned to one pod"}[plan.control]
        return f"{plan.scenario.replace('-', ' ').capitalize()} on the {plan.tier} tier{broken}"

    @property
    def started(self) -> datetime:
        """When it began, in UTC.

        Raises:
            RecordError: The plan tells no time.
        """
        try:
            return datetime.fromisoformat(self.record.plan.started).astimezone(UTC)
        except ValueError:
            came = self.record.plan.started[:80]
            raise RecordError(Path(PLAN), f"started: expected a time as RFC 3339 has it, came {came!r}") from None

    @property
    def course(self) -> Course:
        """Its time axis."""
        plan, violations = self.record.plan, self.verdict.figures.violations
        missed = {first + second for first in violations for second in range(plan.slo.window_s)}
        phases = [Span(phase.name, phase.start_s, phase.end_s, phase.measured) for phase in plan.phases]
        return Course(len(self.record.arrivals), phases, spans(missed))

    def replicas(self, tier: Tier) -> Replicas:
        """A tier's pods over time."""
        seen = self.verdict.figures.replicas[tier]
        forecast = self.record.plan.forecast
        foreseen = forecast.replicas.get(tier) if forecast else None
        oracle = self.verdict.figures.oracle.get(tier)
        clairvoyant = _in_seconds(oracle.pods) if oracle else None
        return Replicas(tier, _in_seconds(seen.desired), _in_seconds(seen.ready), foreseen, clairvoyant)

    @property
    def rows(self) -> list[PodRow]:
        """What each pod answered, model servers first, each tier in the order of first answers."""
        pods = self.verdict.figures.pods
        order = sorted(pods, key=lambda name: (pods[name].tier, pods[name].first_ns or 0, name))
        return [PodRow(name, pods[name].tier, self.answers[name], POD_BIN_S) for name in order if name in self.answers]


def read_run(folder: Path) -> Run:
    """Read a run's record.

    Raises:
        RecordError: A file is missing or is not what it should be.
    """
    record = read_record(folder)
    verdict = read_document(folder / VERDICT, Verdict)
    return Run(
        record,
        verdict,
        digest(folder / PLAN),
        seconds(record),
        answers(record),
    )


def _in_seconds(steps: Steps) -> list[tuple[float, int]]:
    """Turn a record's steps into seconds; the last one before the start held at it."""
    return list({max(at / SECOND, 0.0): pods for at, pods in steps}.items())
