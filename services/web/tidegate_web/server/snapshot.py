"""What the gateway knows of itself now, gathered from where it is known."""

import time

from tidegate_web.metrics import Metrics
from tidegate_web.server.peers import Peers
from tidegate_web.server.web_tier import WebTier
from tidegate_web.serving.backend import Backend
from tidegate_web.serving.balancer import Balancer
from tidegate_web.serving.router import Router
from tidegate_web.status.reading import BackendReading, LoadedVersion, Reading


class Snapshot:
    """Takes readings.

    Args:
        metrics: Knows the requests.
        balancer: Knows the model servers.
        router: Knows which labels the clients go to.
        web_tier: Knows the other gateways.
        peers: Know what those say.
    """

    def __init__(self, metrics: Metrics, balancer: Balancer, router: Router, web_tier: WebTier, peers: Peers) -> None:
        self._metrics = metrics
        self._balancer = balancer
        self._router = router
        self._web_tier = web_tier
        self._peers = peers

    def __call__(self) -> Reading:
        """Take one. The ops port's thread does: each value is read at once or copied at once."""
        metrics, tally = self._metrics, self._metrics.tally
        calls = metrics.backend_calls()
        durations = tuple(tally.durations)
        return Reading(
            unix_s=time.time(),
            monotonic_s=time.monotonic(),
            requests=sum(durations),
            failures=tally.failures,
            refused=tally.refused,
            durations=durations,
            inflight=int(metrics.inflight.value()),
            pending=int(metrics.pending.value()),
            pending_average=metrics.pending.average(),
            retries=metrics.retried(),
            backends=tuple(_read(backend, calls.get(backend.address, 0)) for backend in tuple(self._balancer.backends)),
            gateways=self._web_tier.addresses,
            peers=self._peers.figures,
            routes=self._router.shares,
        )


def _read(backend: Backend, calls: int) -> BackendReading:
    versions = tuple(
        LoadedVersion(model, status.version, status.state)
        for model, statuses in backend.models.items()
        for status in statuses
    )
    return BackendReading(backend.address, backend.state.value, backend.outstanding, calls, versions)
