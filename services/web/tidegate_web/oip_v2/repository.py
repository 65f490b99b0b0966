"""Triton's repository index: every version of every model that is offered, and where it stands."""

import asyncio

from tidegate_web.errors import NotFound
from tidegate_web.prediction import ModelRef, Predictor, VersionStatus

_STATES = {
    "AVAILABLE": "READY",
    "START": "LOADING",
    "LOADING": "LOADING",
    "UNLOADING": "UNLOADING",
    "END": "UNAVAILABLE",
}
"""TF Serving's states in Triton's words."""


def is_ready(status: VersionStatus) -> bool:
    """Whether a version answers."""
    return status.state == "AVAILABLE"


async def repository_index(predictor: Predictor, timeout_s: float, *, ready_only: bool) -> list[dict[str, str]]:
    """Return an entry for every version, or for every one that is ready."""
    entries = await asyncio.gather(*(_entries(predictor, name, timeout_s) for name in predictor.models()))
    return [entry for of_model in entries for entry in of_model if not ready_only or entry["state"] == "READY"]


async def _entries(predictor: Predictor, name: str, timeout_s: float) -> list[dict[str, str]]:
    try:
        statuses = await predictor.status(ModelRef(name), timeout_s)
    except NotFound as error:
        return [{"name": name, "version": "", "state": "UNAVAILABLE", "reason": str(error)}]
    return [
        {
            "name": name,
            "version": str(status.version),
            "state": _STATES.get(status.state, "UNKNOWN"),
            "reason": status.error_message,
        }
        for status in statuses
    ]
