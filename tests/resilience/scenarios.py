"""The scenarios by name."""

from collections.abc import Callable, Coroutine
from typing import Any

from tests.resilience import backends, bodies, canary, lifecycle, limits
from tests.resilience.processes import Stage
from tests.resilience.report import Report

Scenario = Callable[[Stage, Report], Coroutine[Any, Any, None]]

SCENARIOS: dict[str, Scenario] = {
    "gateway-restarts": lifecycle.gateway_restarts,
    "model-restarts": lifecycle.model_restarts,
    "model-restarts-static": lifecycle.model_restarts_static,
    "model-kill": lifecycle.model_kill,
    "overload": limits.overload,
    "overload-defaults": limits.overload_defaults,
    "spread": backends.spread,
    "discovery": backends.discovery,
    "discovery-dns": backends.discovery_dns,
    "restart-in-place": backends.restart_in_place,
    "slow-to-connect": backends.slow_to_connect,
    "ejection": backends.ejection,
    "versions": backends.versions,
    "canary": canary.canary,
    "deadlines": limits.deadlines,
    "cancellation": limits.cancellation,
    "retry-budget": limits.retry_budget,
    "large-bodies": bodies.large_bodies,
}
