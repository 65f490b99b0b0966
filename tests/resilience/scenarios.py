"""The scenarios by name."""

from collections.abc import Awaitable, Callable

from tests.resilience import lifecycle
from tests.resilience.processes import Stage
from tests.resilience.report import Report

Scenario = Callable[[Stage, Report], Awaitable[None]]

SCENARIOS: dict[str, Scenario] = {
    "gateway-restarts": lifecycle.gateway_restarts,
    "model-restarts": lifecycle.model_restarts,
    "model-restarts-static": lifecycle.model_restarts_static,
    "model-kill": lifecycle.model_kill,
}
