"""A cluster's API that answers from a script, and objects as Kubernetes writes them."""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tidegate_proof.live.api import Api, ApiError, Object

SAMPLES = Path(__file__).with_name("samples")


def sample(kind: str) -> dict[str, Any]:
    """Read an object as a cluster gave it."""
    found: dict[str, Any] = json.loads((SAMPLES / f"{kind}.json").read_text())
    return found


def pod(name: str, version: int = 1, *, tier: str = "web", ip: str = "10.0.0.1", ready: bool = True) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": "tidegate", "app.kubernetes.io/component": tier}
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": str(version), "labels": labels},
        "spec": {"containers": [{"name": tier, "image": f"tidegate/{tier}:0.1.0", "env": ["much"]}]},
        "status": {"podIP": ip, "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def listed(*items: Mapping[str, Any], version: int) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": str(version)}, "items": list(items)}


def told(change: str, found: Mapping[str, Any]) -> bytes:
    return json.dumps({"type": change, "object": found}).encode() + b"\n"


@dataclass
class ScriptedApi(Api):
    """Answers each path with what is next in its script; the last answer stands. An exception is raised.

    A stream ends as the API ends a watch; one that has no more in its script stays open.
    """

    answers: Mapping[str, Sequence[Object | str | Exception]] = field(default_factory=dict)
    streams: Mapping[str, Sequence[Sequence[bytes | Exception]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self._answers = {path: deque(answers) for path, answers in self.answers.items()}
        self._streams = defaultdict[str, deque[Sequence[bytes | Exception]]](deque)
        for path, streams in self.streams.items():
            self._streams[path].extend(streams)

    async def get(self, path: str) -> Object:
        found = self._next(path)
        assert not isinstance(found, str)
        return found

    async def text(self, path: str) -> str:
        found = self._next(path)
        assert isinstance(found, str)
        return found

    async def date(self) -> datetime:
        return self.now

    async def lines(self, path: str, silence_s: float | None = None) -> AsyncIterator[bytes]:  # noqa: ARG002 the Protocol's
        self.asked.append(path)
        streams = self._streams[path.partition("?")[0]]
        if not streams:
            await asyncio.Event().wait()
        for line in streams.popleft():
            if isinstance(line, Exception):
                raise line
            yield line
            await asyncio.sleep(0)

    def _next(self, path: str) -> Object | str:
        self.asked.append(path)
        script = self._answers.get(path)
        if not script:
            raise ApiError(404, f"{path}: not found")
        found = script.popleft() if len(script) > 1 else script[0]
        if isinstance(found, Exception):
            raise found
        return found
