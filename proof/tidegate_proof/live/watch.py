"""Follows the objects of a namespace: every change once, in order, and a word where some may be missing."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

from tidegate_proof.live.api import Api, ApiError, Object, UnreachableError
from tidegate_proof.live.objects import Kind

PATIENCE_S = 60.0
AGAIN_S = 1.0

ENDS_S = 45
"""After which the API ends a watch that is then taken up where it was: what is silent for longer is broken."""


class ClusterGoneError(Exception):
    """The API has not answered for too long."""


class Sink(Protocol):
    """Where changes go."""

    def change(self, change: str, kind: str, found: Object) -> None:
        """Take a change: ADDED, MODIFIED or DELETED."""

    def gap(self, kind: str, missing: str) -> None:
        """Take the word that a watch broke, and what may be missing."""


@dataclass(slots=True)
class Watch:
    """Follows one kind of object.

    Attributes:
        api: Of the cluster.
        namespace: Where.
        kind: What.
        sink: Where changes go.
        now_s: A monotonic clock.
        patience_s: How long the API may be away.
    """

    api: Api
    namespace: str
    kind: Kind
    sink: Sink
    now_s: Callable[[], float]
    patience_s: float = PATIENCE_S
    _known: dict[str, Object] = field(default_factory=dict)
    _version: str = ""

    async def begin(self) -> None:
        """Take what there is.

        Raises:
            ApiError, UnreachableError: The API refused or did not answer.
        """
        found = await self.api.get(self.kind.path(self.namespace))
        self._version = found["metadata"]["resourceVersion"]
        present = {one["metadata"]["uid"]: one for one in found["items"]}
        for uid in self._known.keys() - present.keys():
            self._take("DELETED", self._known[uid])
        for uid, one in present.items():
            if uid not in self._known:
                self._take("ADDED", one)
            elif one["metadata"]["resourceVersion"] != self._known[uid]["metadata"]["resourceVersion"]:
                self._take("MODIFIED", one)

    async def follow(self) -> None:
        """Take every change from then on; never returns.

        Raises:
            ClusterGoneError: The API was away for longer than the patience.
            ApiError: It refused.
        """
        away_since: float | None = None
        while True:
            try:
                if not self._version:
                    await self.begin()
                    away_since = None
                async for line in self.api.lines(self._path()):
                    away_since = None
                    if not self._read(json.loads(line)):
                        break
            except (UnreachableError, ValueError) as error:
                now_s = self.now_s()
                if away_since is None:
                    away_since = now_s
                    self.sink.gap(self.kind.name, f"times, changes are told late: {error}")
                if now_s - away_since > self.patience_s:
                    raise ClusterGoneError(f"the API has not answered for {self.patience_s:g} s: {error}") from None
                await asyncio.sleep(AGAIN_S)
            except ApiError as error:
                if error.status != HTTPStatus.GONE:
                    raise
                self._lost()

    def _path(self) -> str:
        path = self.kind.path(self.namespace)
        return f"{path}?watch=1&allowWatchBookmarks=true&timeoutSeconds={ENDS_S}&resourceVersion={self._version}"

    def _read(self, line: Any) -> bool:  # noqa: ANN401 the API's JSON
        """Take a line of the watch; False where it cannot go on."""
        found = line["object"]
        match line["type"]:
            case "BOOKMARK":
                self._version = found["metadata"]["resourceVersion"]
            case "ERROR":
                if found.get("code") != HTTPStatus.GONE:
                    raise UnreachableError(f"{self.kind.name}: {found.get('message', found)}")
                self._lost()
                return False
            case change:
                self._version = found["metadata"]["resourceVersion"]
                self._take(change, found)
        return True

    def _lost(self) -> None:
        self._version = ""
        self.sink.gap(self.kind.name, "changes that were undone before the next look")

    def _take(self, change: str, found: Object) -> None:
        uid = found["metadata"]["uid"]
        if change == "DELETED":
            self._known.pop(uid, None)
        else:
            self._known[uid] = found
        self.sink.change(change, self.kind.name, found)
