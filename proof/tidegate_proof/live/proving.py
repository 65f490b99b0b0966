"""A proof on a cluster: the programme's knees and runs one after the other, and what they show together."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from tidegate_proof.engine.models import learn, requests_of
from tidegate_proof.engine.target import Target
from tidegate_proof.knee.offering import Offering, schedule
from tidegate_proof.knee.search import attempt
from tidegate_proof.live import address, facts, priority
from tidegate_proof.live.conclusion import conclude_proof
from tidegate_proof.live.console import Console
from tidegate_proof.live.cpu import CpuMeter
from tidegate_proof.live.deployment import name_for
from tidegate_proof.live.performance import Signals, judged, need_of, perform_on
from tidegate_proof.live.plan import Terms
from tidegate_proof.live.programme import Item, Part
from tidegate_proof.live.session import Place, Stage, staged
from tidegate_proof.live.sizing import FROZEN, Sizing, Tier
from tidegate_proof.live.trials import Order, knee_used
from tidegate_proof.record.documents import write_document
from tidegate_proof.record.knee import KNEE, KneeRecord, Step
from tidegate_proof.record.manifest import Partial
from tidegate_proof.record.plan import GeneratorLimits, KneeUsed
from tidegate_proof.record.proof import Proof
from tidegate_proof.record.verdict import Verdict

WARM_UP_S = 2
SEED = 1


@dataclass(slots=True)
class Proving:
    """A proof in the making.

    Attributes:
        place: Where.
        folder: Of the proof; made.
        images: `NAME:TAG` in place of the manifests' own, by tier.
        keda: Whether pending predictions can be scaled on.
        console: Where a person looks, and may break it off.
        runs: Folders of records so far.
        knees: Folders of knees so far.
        namespaces: That were deleted, and may still be there.
    """

    place: Place
    folder: Path
    images: Mapping[Tier, str]
    keda: bool
    console: Console
    runs: list[str] = field(default_factory=list)
    knees: list[str] = field(default_factory=list)
    namespaces: list[str] = field(default_factory=list)

    async def prove(self, programme: Sequence[Part]) -> None:
        """Do a programme, up to its end or until somebody asks to stop.

        Raises:
            What `session.staged` and `trials.prepare` do; what was recorded until then stays.
        """
        for part in programme:
            if self.console.stop.reason is None:
                await self._part(part)

    def conclude(self, broken: Partial | None) -> Proof:
        """Say what the runs show together, draw the report, seal the folder.

        Args:
            broken: Why the programme did not come to its end; None when it did.

        Raises:
            RecordError, OSError: A record cannot be read, or nothing can be written.
        """
        return conclude_proof(self.folder, self.runs, self.knees, broken)

    async def _part(self, part: Part) -> None:
        name = name_for(part.tier)
        self.namespaces.append(name)
        # What a knee is searched with: one replica, no autoscaler in the way, as many waiting as it likes
        alone = Signals(images=self.images, pending=False)
        unmeasured = Order(
            scenario=part.first, capacity_rps=part.search.highest_rps / part.first.peak_of_knee, knee=None,
            terms=Terms.of(part.slo, part.back_s), control=FROZEN, duration_s=part.items[0].duration_s,
        )  # fmt: skip
        need = need_of(unmeasured, alone.sizing(replace(unmeasured, control=None)), self.folder)
        async with staged(self.place, name, alone.sizing(unmeasured), need, self.console) as stage:
            knee = await self.console.stop.during(self._knee(stage, part))
            signals = Signals(images=self.images, pending=self.keda)
            for item in part.items:
                if self.console.stop.reason is None:
                    await self._run(stage, part, item, knee, signals)

    async def _knee(self, stage: Stage, part: Part) -> KneeUsed:
        """Search for the knee, and write it down.

        Raises:
            OrderError: There is none.
        """
        scenario, began = part.first, time.monotonic()
        self.console.say(f"Looking for the knee of one {part.tier} replica …")
        started = datetime.now(UTC).isoformat(timespec="seconds")
        target = Target.of(f"{stage.url}/v1/models/{scenario.model}:predict")
        asked = await asyncio.to_thread(learn, target, scenario.model, seed=SEED, iterations=scenario.work_iterations)
        offering = Offering(
            target,
            requests_of(asked, scenario.rows, SEED),
            schedule(scenario.process),
            part.slo,
            warm_up_s=WARM_UP_S,
            seed=SEED,
            meter=CpuMeter(stage.api, (await stage.tidegate.pods())[part.tier]),
        )
        with priority.raised():
            knee, steps, refusal = await attempt(offering, part.slo, part.search, self._tell(part))
        record = KneeRecord(
            tier=part.tier,
            target=stage.url,
            model=scenario.model,
            rows=scenario.rows,
            work_iterations=scenario.work_iterations,
            process=scenario.process,
            seed=SEED,
            slo=part.slo,
            warm_up_s=WARM_UP_S,
            generator=GeneratorLimits(),
            steps=steps,
            knee=knee,
            refusal=refusal,
            cluster=await facts.cluster_of(stage.api, stage.tidegate),
            versions=await facts.versions(stage.api),
            started=started,
            search=part.search,
        )
        folder = self.folder / f"knee-{part.tier}"
        folder.mkdir()
        write_document(folder / KNEE, record)
        self.knees.append(folder.name)
        used, _ = knee_used(folder / KNEE, scenario)
        self.console.say(
            f"One {part.tier} replica takes {used.capacity_rps:.4g} requests/s ({time.monotonic() - began:.0f} s)"
        )
        return used

    def _tell(self, part: Part) -> Callable[[Step], None]:
        def tell(step: Step) -> None:
            kept = "kept" if step.keeps(part.slo) else "missed"
            self.console.say(f"  {step}: {'; '.join(step.faults) or kept}")

        return tell

    async def _run(self, stage: Stage, part: Part, item: Item, knee: KneeUsed, signals: Signals) -> None:
        order = Order(
            scenario=item.scenario,
            capacity_rps=knee.capacity_rps,
            knee=knee,
            knee_file=self.folder / f"knee-{part.tier}" / KNEE,
            terms=Terms.of(part.slo, part.back_s),
            control=item.control,
            duration_s=item.duration_s,
            seed=SEED + len(self.runs),
        )
        number = Counter(name.rpartition(".")[0] for name in self.runs)[item.name] + 1
        folder = self.folder / f"{item.name}.{number}"
        self.console.say(f"── {folder.name}, {'must fail' if item.control else 'should pass'} ──")
        verdict = await self._perform(stage, order, signals, folder)
        if not verdict.valid and self.console.stop.reason is None:
            self.console.say(
                "It says nothing, neither way, so it is done once more; this record stays and does not count"
            )
            folder = folder.with_name(f"{folder.name}-again")
            await self._perform(stage, order, signals, folder)
        self.runs.append(folder.name)

    async def _set_up(self, stage: Stage, sizing: Sizing) -> None:
        await stage.tidegate.deploy(sizing, self.place.manifests, self.console.say)
        # Nodes learn of a Service's new pods a moment later: a pinned gateway is refused until then
        await address.find(stage.api, stage.tidegate.namespace, stage.url)

    async def _perform(self, stage: Stage, order: Order, signals: Signals, folder: Path) -> Verdict:
        began = time.monotonic()
        await self.console.stop.during(self._set_up(stage, signals.sizing(order)))
        self.console.say(f"Set up in {time.monotonic() - began:.0f} s")
        await perform_on(stage, order, folder, self.console)
        return judged(order, folder, self.console)
