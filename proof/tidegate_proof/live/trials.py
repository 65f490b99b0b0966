"""From a scenario and a knee to what is run: the plan, its arrivals, what is sent."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from scenarios import Scenario
from tidegate_proof.engine.models import learn, requests_of
from tidegate_proof.engine.target import Target
from tidegate_proof.live import facts
from tidegate_proof.live.foresight import foresee
from tidegate_proof.live.plan import Terms, hypothesis, phases, thresholds
from tidegate_proof.live.session import Stage, Trial
from tidegate_proof.record.documents import read_document
from tidegate_proof.record.knee import KneeRecord
from tidegate_proof.record.manifest import digest
from tidegate_proof.record.plan import Control, Forecast, GeneratorLimits, KneeUsed, Plan, Shape
from tidegate_proof.verdict.intended import counts_of, rates_of


class OrderError(Exception):
    """What was asked for cannot be run; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was asked for.

    Attributes:
        scenario: What is run.
        capacity_rps: Of one replica; the scenario's loads are multiples of it.
        knee: Where that is from; None where the user said a number.
        knee_file: Its file; the record gets a copy.
        terms: What is promised.
        control: What is broken on purpose.
        duration_s: In place of the scenario's own.
        seed: Of arrivals and rows.
    """

    scenario: Scenario
    capacity_rps: float
    knee: KneeUsed | None
    knee_file: Path | None = None
    terms: Terms
    control: Control | None = None
    duration_s: int | None = None
    seed: int = 1

    def shape(self) -> Shape:
        """Return the load in requests/s."""
        scenario = self.scenario
        return Shape(
            name=scenario.shape,
            base=round(scenario.base_of_knee * self.capacity_rps, 3),
            peak=round(scenario.peak_of_knee * self.capacity_rps, 3),
            duration_s=self.duration_s or scenario.duration_s,
            period_s=scenario.period_s,
            trace=scenario.trace,
            time_scale=scenario.time_scale,
        )


def knee_used(file: Path, scenario: Scenario) -> tuple[KneeUsed, KneeRecord]:
    """Read a knee that a scenario's loads are to be multiples of.

    Args:
        file: knee.json; runs keep a copy beside their plan.
        scenario: Which must ask the same of the same tier.

    Raises:
        RecordError: It is no knee.json.
        OrderError: It has no knee, or is of something else.
    """
    record = read_document(file, KneeRecord)
    if record.knee is None:
        raise OrderError(f"{file}: expected a knee, came a search that was refused: {record.refusal}")
    of = (record.tier, record.model, record.rows, record.work_iterations)
    asked = (scenario.tier, scenario.model, scenario.rows, scenario.work_iterations)
    if of != asked:
        raise OrderError(
            f"{file}: expected the knee of {_told(asked)} as {scenario.name} asks, came that of {_told(of)}"
        )
    return KneeUsed(sha256=digest(file), capacity_rps=record.knee.capacity_rps, folder="."), record


async def prepare(order: Order, stage: Stage) -> Trial:
    """Make a plan for what is deployed, and all that is sent.

    Raises:
        ArrivalError: The scenario's shape makes no arrivals.
        TargetError, SignatureError, SampleError: The model cannot be asked.
        ApiError, UnreachableError: The cluster does not answer.
    """
    scenario, terms = order.scenario, order.terms
    draft = Plan(
        scenario=scenario.name,
        hypothesis=hypothesis(scenario.hypothesis, order.control),
        control=order.control,
        tier=scenario.tier,
        model=scenario.model,
        rows=scenario.rows,
        work_iterations=scenario.work_iterations,
        seed=order.seed,
        process=scenario.process,
        shape=order.shape(),
        warm_up_s=terms.warm_up_s,
        phases=(),
        slo=terms.slo,
        timeout_s=terms.timeout_s,
        thresholds=(),
        generator=GeneratorLimits(),
        knee=order.knee,
        autoscaler=await facts.autoscalers_of(stage.tidegate),
        forecast=None,
        cluster=await facts.cluster_of(stage.api, stage.tidegate),
        versions=await facts.versions(stage.api),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    rates = rates_of(draft)
    planned = phases(rates[terms.warm_up_s :], terms.warm_up_s, terms.back_s)
    counts = counts_of(draft, rates)
    forecast = await _foreseen(order, stage, draft, counts)
    foreseen = forecast is not None and scenario.tier in forecast.replicas and on_pending(draft)
    decisive = thresholds(
        planned,
        scenario.tier,
        terms,
        foreseen=foreseen,
        overloaded_rps=None if scenario.added_every_s is None else order.capacity_rps,
    )
    plan = replace(draft, phases=planned, thresholds=decisive, forecast=forecast)
    target = Target.of(stage.url)
    asked = await asyncio.to_thread(learn, target, scenario.model, seed=order.seed, iterations=scenario.work_iterations)
    return Trial(plan, counts, requests_of(asked, scenario.rows, order.seed))


def on_pending(plan: Plan) -> bool:
    """Whether the tier is scaled on more than CPU, of which a forecast of a slow rise is off by a minute.

    A fifth more CPU than at the knee (metrics that are asked for, connections that move) is twice the tolerance.
    """
    metrics = plan.autoscaler.get(plan.tier, {}).get("metrics")
    return isinstance(metrics, list) and any(isinstance(one, dict) and one.get("type") == "External" for one in metrics)


async def _foreseen(order: Order, stage: Stage, plan: Plan, counts: Sequence[int]) -> Forecast | None:
    """Forecast the replicas of the tier that is measured; None where there is no knee or no autoscaler."""
    if order.knee_file is None or plan.tier not in plan.autoscaler:
        return None
    pods = (await stage.tidegate.pods())[plan.tier]
    return await asyncio.to_thread(foresee, plan.tier, order.knee_file, plan.autoscaler[plan.tier], counts, pods)


def _told(of: Sequence[object]) -> str:
    tier, model, rows, iterations = of
    return f"{tier} with {model}, {rows} rows" + (f" of {iterations} iterations" if iterations else "")
