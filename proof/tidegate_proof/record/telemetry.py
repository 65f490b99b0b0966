"""`gateway.jsonl` and `generator.jsonl`: what was read off the gateways and the generator every second."""

from dataclasses import dataclass

from tidegate_proof.record.documents import Int64, Real


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLook:
    """A line of gateway.jsonl: one look at one gateway, or its last word.

    Attributes:
        t_ns: When; below 0 for looks before the run began. Each gateway that is there at the start needs one of those.
        pod: Its name.
        pod_ip: Its address.
        answered: Requests answered since its start, the last Tidegate-Seq.
        final: Whether it is the total: from its last log line, or its /status.json after the last request.
        clean: Of final lines: whether the total is exact; false where a pod went without a last word.
        inflight: Requests.
        pending: Rows queued or with a model server.
        shed: Requests refused since its start.
        cpu_s: Used since its start.
    """

    t_ns: Int64
    pod: str
    pod_ip: str
    answered: Int64
    final: bool = False
    clean: bool = False
    inflight: int | None = None
    pending: int | None = None
    shed: int | None = None
    cpu_s: Real | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorLook:
    """A line of generator.jsonl.

    Attributes:
        t_ns: When.
        cpu_s: Of the generator's process since its start, user and system.
        inflight: Requests sent and not answered.
    """

    t_ns: Int64
    cpu_s: Real
    inflight: int
