"""A knee once more, from the steps that it was found by."""

from collections.abc import Iterator

from tidegate_proof.record.documents import plain
from tidegate_proof.record.knee import KneeRecord
from tidegate_proof.verdict.differences import Difference, differences
from tidegate_proof.verdict.searching import KneeError, Searching


def search_again(name: str, record: KneeRecord) -> Iterator[Difference]:
    """Search with the recorded steps for answers; nothing where the record does not say how it was searched.

    Args:
        name: Of the file, for whoever reads of a difference.
        record: What it says.
    """
    if record.search is None:
        return
    search, refusal = Searching(record.slo, record.search), None
    try:
        search.begin()
        for number, step in enumerate(record.steps):
            load = search.next_load()
            if load != step.offered_rps:
                yield Difference(name, f"steps.{number}.offered_rps", step.offered_rps, load)
                return
            search.take(step)
        if (load := search.next_load()) is not None:
            yield Difference(name, "steps", f"{len(record.steps)} of them", f"one more, of {load:.4g} requests/s")
            return
        knee = search.knee()
    except KneeError as error:
        knee, refusal = None, str(error)
    found = {"knee": None if knee is None else plain(knee), "refusal": refusal}
    recorded = {"knee": None if record.knee is None else plain(record.knee), "refusal": record.refusal}
    yield from differences(name, recorded, found)
