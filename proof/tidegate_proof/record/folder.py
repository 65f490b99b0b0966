"""A record as a whole."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tidegate_proof.record.arrivals import read_arrivals, write_arrivals
from tidegate_proof.record.cluster import ClusterEvent
from tidegate_proof.record.documents import read_document, write_document
from tidegate_proof.record.lines import LineWriter, read_lines
from tidegate_proof.record.manifest import PARTIAL, Partial
from tidegate_proof.record.plan import Plan
from tidegate_proof.record.requests import Requests, read_requests, write_requests
from tidegate_proof.record.telemetry import GatewayLook, GeneratorLook

PLAN = "plan.json"
ARRIVALS = "arrivals.csv.gz"
REQUESTS = "requests.csv.gz"
CLUSTER = "cluster.jsonl"
GATEWAY = "gateway.jsonl"
GENERATOR = "generator.jsonl"
VERDICT = "verdict.json"
REPORT = "report.html"
SUMMARY = "summary.md"
JUNIT = "junit.xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The raw data of a run.

    Attributes:
        plan: What was to happen.
        arrivals: Requests intended in each second.
        requests: What became of them.
        cluster: In the order of arrival.
        gateway: The same.
        generator: The same.
        partial: Why the run did not come to its end; None when it did, and every file is whole.
    """

    plan: Plan
    arrivals: tuple[int, ...]
    requests: Requests
    cluster: tuple[ClusterEvent, ...]
    gateway: tuple[GatewayLook, ...]
    generator: tuple[GeneratorLook, ...]
    partial: str | None = None


def read_record(folder: Path) -> Record:
    """Read the raw data of a run.

    Returns:
        With `partial` set where partial.json says so, or a file was cut off.

    Raises:
        RecordError: A file is missing or is not what it should be.
    """
    said = read_document(folder / PARTIAL, Partial).reason if (folder / PARTIAL).exists() else None
    requests = read_requests(folder / REQUESTS)
    cluster = read_lines(folder / CLUSTER, ClusterEvent)
    gateway = read_lines(folder / GATEWAY, GatewayLook)
    generator = read_lines(folder / GENERATOR, GeneratorLook)
    cuts = [part.cut for part in (requests, cluster, gateway, generator) if part.cut is not None]
    return Record(
        plan=read_document(folder / PLAN, Plan),
        arrivals=read_arrivals(folder / ARRIVALS),
        requests=requests,
        cluster=cluster.items,
        gateway=gateway.items,
        generator=generator.items,
        partial=said if said is not None else "; ".join(cuts) or None,
    )


def write_record(folder: Path, record: Record) -> None:
    """Write the raw data of a run into a new folder; verdict and manifest come after.

    Raises:
        OSError: The folder is there already, or the disk is full.
    """
    folder.mkdir(parents=True)
    write_document(folder / PLAN, record.plan)
    write_arrivals(folder / ARRIVALS, record.arrivals)
    write_requests(folder / REQUESTS, record.requests)
    for name, items in ((CLUSTER, record.cluster), (GATEWAY, record.gateway), (GENERATOR, record.generator)):
        with closing(LineWriter[object](folder / name)) as lines:
            for item in items:
                lines.write(item)
    if record.partial is not None:
        write_document(folder / PARTIAL, Partial(reason=record.partial, t_ns=record.plan.duration_s * 10**9))
