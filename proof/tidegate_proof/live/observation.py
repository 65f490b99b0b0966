"""The measured part of a run: load goes out, watches and telemetry come in, until one of them ends."""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from tidegate_proof.engine.columns import Columns
from tidegate_proof.engine.generator import Generator
from tidegate_proof.engine.target import TargetError
from tidegate_proof.live.api import Api, ApiError, Object, UnreachableError
from tidegate_proof.live.console import Console
from tidegate_proof.live.journal import Clock, Journal
from tidegate_proof.live.objects import EVENTS, WATCHED
from tidegate_proof.live.pods import Pods
from tidegate_proof.live.progress import moment
from tidegate_proof.live.telemetry import Telemetry
from tidegate_proof.live.watch import ClusterGoneError, Watch
from tidegate_proof.record.plan import Plan

CLOCK_EVERY_S = 10
ENDS_S = 20.0
"""How long the last looks may take."""

NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Load:
    """What goes out.

    Attributes:
        columns: Intended times, and what becomes of them.
        generator: Sends.
    """

    columns: Columns
    generator: Generator


class Observation:
    """Everything that a run looks at.

    Args:
        api: Of the cluster.
        plan: Of the run.
        load: What goes out.
        journal: Where it is written.
        clock: Of the run.
        console: Where a person looks, and may break it off.
    """

    def __init__(self, api: Api, plan: Plan, load: Load, journal: Journal, clock: Clock, console: Console) -> None:  # noqa: PLR0913, PLR0917 what a run consists of
        self._plan = plan
        self._load = load
        self._journal = journal
        self._clock = clock
        self._console = console
        self._pods = Pods()
        namespace = plan.cluster.namespace
        self._telemetry = Telemetry(api, namespace, journal.gateway, clock)
        self._watches = [Watch(api, namespace, kind, self, time.monotonic) for kind in WATCHED]

    def change(self, change: str, kind: str, found: Object) -> None:
        """Take what a watch told; events of before the run are another run's."""
        if kind == EVENTS.name and self._clock() < 0:
            return
        self._journal.change(change, kind, found)
        self._pods.change(change, kind, found)
        if kind == "Pod":
            self._telemetry.change(change, found)

    def gap(self, kind: str, missing: str) -> None:
        """Take the word that a watch broke."""
        self._journal.gap(kind, missing)

    async def run(self) -> str | None:
        """Run the plan.

        Returns:
            None when it came to its end, else the reason why not. The journal has what there is either way.
        """
        try:
            for watch in self._watches:
                await watch.begin()
            await self._telemetry.look()
            self._journal.tie_clocks()
            await self._until_one_ends(
                self._load.generator.run(self._clock.start_ns),
                *(watch.follow() for watch in self._watches),
                self._telemetry.follow(),
                self._beat(),
            )
        except (ApiError, UnreachableError) as error:
            self._console.stop.request(f"the cluster did not answer: {error}")
        finally:
            await self._finish()
        return self._console.stop.reason

    async def _until_one_ends(self, load: Coroutine[Any, Any, None], *others: Coroutine[Any, Any, None]) -> None:
        sending = asyncio.ensure_future(load)
        asked = asyncio.ensure_future(self._console.stop.wait())
        tasks: list[asyncio.Future[Any]] = [sending, asked, *map(asyncio.ensure_future, others)]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                if error := task.exception():
                    self._console.stop.request(_words(error))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _beat(self) -> None:
        """Each second: write what is new, show how it stands."""
        second = self._clock() // NS
        while True:
            second += 1
            await asyncio.sleep((second * NS - self._clock()) / NS)
            self._write_settled()
            if second % CLOCK_EVERY_S == 0:
                self._journal.tie_clocks()
            if second > 0:
                counts = self._pods.counts()
                self._console.progress.show(
                    moment(self._load.columns, second, self._plan.phases, self._plan.slo.latency_ns, counts)
                )

    def _write_settled(self) -> None:
        self._journal.generator(self._load.generator.looks)
        self._journal.requests(self._load.columns, self._load.generator.settled)

    async def _finish(self) -> None:
        self._journal.generator(self._load.generator.looks)
        try:
            async with asyncio.timeout(ENDS_S):
                await self._telemetry.finish()
        except TimeoutError:
            self._console.stop.request(f"the gateways' last words did not come within {ENDS_S:g} s")
        finally:
            await self._telemetry.close()
        self._journal.tie_clocks()
        if self._console.stop.reason is not None:
            self._journal.break_off(self._console.stop.reason)
        self._journal.requests(self._load.columns, len(self._load.columns))
        self._console.progress.end()


def _words(error: BaseException) -> str:
    """Say what broke a run off."""
    match error:
        case ClusterGoneError():
            return f"the cluster is gone: {error}"
        case ApiError():
            return f"the cluster refused a watch: {error}"
        case TargetError():
            return f"nothing could be sent: {error}"
    raise error
