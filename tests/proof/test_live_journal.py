"""Whatever ends a run, what it left can be read, and says whether it is whole."""

import errno
from collections.abc import Callable
from contextlib import closing
from io import FileIO
from pathlib import Path
from time import monotonic_ns

import pytest

from tests.proof.live_api import pod
from tests.proof.records import plan as a_plan
from tidegate_proof.engine.columns import NONE, Columns
from tidegate_proof.live.journal import RESERVE, RESERVE_BYTES, Clock, Journal
from tidegate_proof.record.folder import PLAN, read_record
from tidegate_proof.record.telemetry import GatewayLook, GeneratorLook

LOOK = GatewayLook(t_ns=1, pod="a", pod_ip="10.0.0.1", answered=3)


class NearlyFull(FileIO):
    """A file on a disk that takes one more line and then none."""

    left = 1

    def write(self, data: object) -> int:
        if not self.left:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.left -= 1
        return super().write(data)  # type: ignore[arg-type]  # FileIO's own


def columns(count: int = 3) -> Columns:
    made = Columns([number * 1_000_000 for number in range(count)], "abc")
    made.sent_ns[0], made.answered_ns[0], made.status[0], made.seq[0] = 10, 20, 200, 1
    made.pod[0], made.backend[0] = made.pods.number(b"web-1"), made.backends.number(b"10.0.0.2:8500")
    made.error[0] = NONE
    made.sent_ns[1], made.error[1] = 1_000_010, NONE
    return made


@pytest.fixture
def journal(tmp_path: Path) -> Callable[..., Journal]:
    def make(fail: Callable[[str], None] = lambda _: None) -> Journal:
        return Journal(tmp_path / "record", a_plan(), [1, 2], Clock(monotonic_ns()), fail)

    return make


def write_all(journal: Journal) -> None:
    journal.tie_clocks()
    journal.change("ADDED", "Pod", pod("a"))
    journal.gap("Pod", "nothing")
    journal.gateway(LOOK)
    journal.generator([GeneratorLook(t_ns=5, cpu_s=0.5, inflight=2)])


def test_the_plan_is_there_before_anything_else(journal):
    with closing(journal()) as made:
        assert (made.folder / PLAN).read_bytes().endswith(b"}\n")


def test_a_whole_run_reads_back_as_it_was_written(journal):
    taken = columns()
    with closing(journal()) as made:
        write_all(made)
        made.requests(taken, 1)
        made.requests(taken, 3)
    record = read_record(made.folder)
    assert record.partial is None
    assert [event.type for event in record.cluster] == ["CLOCK", "ADDED", "GAP"]
    assert record.gateway == (LOOK,)
    assert [look.cpu_s for look in record.generator] == [0.5]
    assert list(record.requests.rows()) == list(taken.rows(0, 3))
    first, second, third = record.requests.rows()
    assert (first.pod, first.backend, first.status, first.error) == ("web-1", "10.0.0.2:8500", 200, "")
    assert (second.sent_ns, second.answered_ns, second.error) == (1_000_010, None, "")
    assert (third.sent_ns, third.error) == (None, "undispatched")
    assert not (made.folder / RESERVE).exists()


def test_what_was_flushed_is_there_when_the_process_is_killed(journal):
    made = journal()
    write_all(made)
    made.requests(columns(), 2)
    record = read_record(made.folder)  # nothing was closed
    made.close()
    assert len(record.requests) == 2
    assert record.partial is not None
    assert len(record.cluster) == 3


def test_looks_of_the_generator_are_written_once(journal):
    looks = [GeneratorLook(t_ns=5, cpu_s=0.5, inflight=2)]
    with closing(journal()) as made:
        made.generator(looks)
        looks.append(GeneratorLook(t_ns=6, cpu_s=0.6, inflight=0))
        made.generator(looks)
        made.requests(columns(), 3)
    assert [look.t_ns for look in read_record(made.folder).generator] == [5, 6]


def test_a_run_that_is_broken_off_says_why(journal):
    with closing(journal()) as made:
        write_all(made)
        made.break_off("interrupted (Ctrl-C)")
        made.requests(columns(), 3)
    record = read_record(made.folder)
    assert record.partial == "interrupted (Ctrl-C)"
    assert len(record.requests) == 3


def test_a_full_disk_is_told_once_and_leaves_a_partial_record_with_every_whole_line(journal):
    told: list[str] = []
    with closing(journal(told.append)) as made:
        cluster = made._cluster  # noqa: SLF001 the file that is full
        cluster.close()
        cluster._file = NearlyFull(made.folder / "cluster.jsonl", "ab")  # noqa: SLF001 the same
        for _ in range(3):
            made.tie_clocks()
        made.gateway(LOOK)
        assert told == ["the record cannot be written: No space left on device"]
        assert (made.folder / RESERVE).stat().st_size == RESERVE_BYTES
        made.break_off(told[0])
        made.requests(columns(), 3)
    record = read_record(made.folder)
    assert record.partial == told[0]
    assert len(record.cluster) == 1
    assert len(record.requests) == 3
    assert record.gateway == (LOOK,)


def test_requests_that_did_not_fit_are_written_again_in_the_room_that_was_held_back(journal):
    told: list[str] = []
    with closing(journal(told.append)) as made:
        requests = made._requests  # noqa: SLF001 the file that is full
        flush = requests.flush

        def full() -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        requests.flush = full
        made.requests(columns(), 2)
        requests.flush = flush
        assert told
        made.break_off(told[0])
        made.requests(columns(), 3)
    assert [row.id for row in read_record(made.folder).requests.rows()] == [0, 1, 2]


def test_a_folder_that_is_there_is_not_written_into(journal):
    with closing(journal()), pytest.raises(FileExistsError):
        journal()
