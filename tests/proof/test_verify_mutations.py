"""Every field of every file of a record is changed, one at a time.

With the manifest as it was, its hashes notice. A forger who makes the manifest again is up against what files say of
one another; what he can still change is listed here and in docs/reference/run-record.md.
"""

import gzip
import json
import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import pytest

from tests.proof import records
from tests.proof.sealing import write_sealed
from tidegate_proof.record.manifest import MANIFEST, files_of, seal
from tidegate_proof.verdict.verify import Outcome, verify

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "run-record.md"

BY_HASH_ALONE = {
    "requests.csv.gz": {"sent_ns", "answered_ns", "backend", "idle_closes"},
    "cluster.jsonl": {
        "t_ns",
        "object.metadata.name",
        "object.metadata.uid",
        "object.metadata.deletionTimestamp",
        "object.metadata.labels.app.kubernetes.io/component",
        "object.spec.minReplicas",
        "object.spec.replicas",
        "object.spec.scaleTargetRef.kind",
        "object.status.phase",
        "object.status.podIP",
        "object.status.conditions.*.type",
        "object.status.conditions.*.status",
    },
    "gateway.jsonl": {"t_ns", "pod_ip", "answered", "inflight", "pending"},
    "generator.jsonl": {"t_ns", "cpu_s", "inflight"},
}
"""Fields of which some change is noticed by the manifest's hash and by nothing else."""


ABSURD = [b"0", b"-1", b"-5", b"1e308", b"3.5", b"9223372036854775808", b"1" + b"0" * 24, b'""', b"[]", b"null"]


@dataclass(frozen=True)
class Mutation:
    """A change of one value.

    Attributes:
        file: Its name.
        field: Path, with `*` for places in lists and for pods.
        content: Of the whole file, changed.
    """

    file: str
    field: str
    content: bytes

    def __str__(self) -> str:
        return f"{self.file} {self.field}"


def leaves(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Give the path of every value that is no container, or an empty one."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inner = list(items)
    if not inner:
        yield path
    for key, part in inner:
        yield from leaves(part, (*path, key))


def changed(value: object) -> object:
    """Return another value of the same type, or of one that may stand there too."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return value * 1.01 + 0.01
        case str():
            return {"paced": "poisson", "serving": "web", "web": "serving", "<=": ">=", ">=": "<=", "==": "<="}.get(
                value, f"{value}x"
            )
        case None:
            return 1
        case _:
            return [1] if isinstance(value, list) else {"x": 1}


def mutated(document: object, path: tuple[object, ...]) -> object:
    """Return a document with one value changed."""
    if not path:
        return changed(document)
    first, *rest = path
    copy = dict(document) if isinstance(document, dict) else list(document)  # type: ignore[call-overload]  # a container
    copy[first] = mutated(copy[first], tuple(rest))
    return copy


def name_of(path: tuple[object, ...]) -> str:
    """Name a field whatever its place in lists and whichever pod it is about."""
    return ".".join("*" if isinstance(key, int) or re.search(r"tidegate-\w+-", str(key)) else str(key) for key in path)


@cache
def _original(root: Path) -> Path:
    return write_sealed(root / "run", records.record(records.plan(warm_up_s=4, duration_s=80)))


def mutations(folder: Path) -> Iterator[Mutation]:
    """Give a change of each field of each file: of the first place that has it, and of the last."""
    for name in [*files_of(folder), MANIFEST]:
        content = (folder / name).read_bytes()
        if name.endswith(".json"):
            yield from _of_json(name, content)
        elif name.endswith(".jsonl"):
            yield from _of_lines(name, content)
        else:
            yield from _of_table(name, content)


def _of_json(name: str, content: bytes) -> Iterator[Mutation]:
    document = json.loads(content)
    for field, path in {name_of(path): path for path in leaves(document)}.items():
        yield Mutation(name, field, json.dumps(mutated(document, path), indent=1).encode() + b"\n")


def _of_lines(name: str, content: bytes) -> Iterator[Mutation]:
    lines = content.splitlines()
    documents = [json.loads(line) for line in lines]
    places: dict[str, list[tuple[int, tuple[object, ...]]]] = {}
    for place, document in enumerate(documents):
        for path in leaves(document):
            places.setdefault(name_of(path), []).append((place, path))
    for field, place, path in {(field, *of[at]) for field, of in places.items() for at in (0, len(of) // 2, -1)}:
        line = json.dumps(mutated(documents[place], path), separators=(",", ":"), ensure_ascii=False).encode()
        yield Mutation(name, field, b"\n".join([*lines[:place], line, *lines[place + 1 :], b""]))


def _of_table(name: str, content: bytes) -> Iterator[Mutation]:
    header, *lines = gzip.decompress(content).decode().splitlines()
    for (column, field), place in product(enumerate(header.split(",")), (0, len(lines) // 2, len(lines) - 1)):
        values = lines[place].split(",")
        value = values[column]
        values[column] = str(int(value) + 1) if value.isdecimal() else f"{value}x" if value else "wrong"
        text = "\n".join([header, *lines[:place], ",".join(values), *lines[place + 1 :], ""])
        yield Mutation(name, field, gzip.compress(text.encode(), mtime=0))


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    return _original(tmp_path_factory.mktemp("original"))


@pytest.fixture(scope="module")
def all_mutations(original) -> list[Mutation]:
    return list(mutations(original))


def test_every_field_of_every_file_is_changed(original, all_mutations):
    assert {mutation.file for mutation in all_mutations} == {*files_of(original), MANIFEST}
    assert len(all_mutations) > 250


def test_a_change_of_any_field_is_noticed(tmp_path: Path, original, all_mutations):
    folder = shutil.copytree(original, tmp_path / "run")
    for mutation in all_mutations:
        before = (folder / mutation.file).read_bytes()
        (folder / mutation.file).write_bytes(mutation.content)
        found = verify(folder)
        assert found.outcome in {Outcome.DIFFERS, Outcome.UNUSABLE}, mutation
        assert mutation.file == MANIFEST or mutation.file in found.text, mutation
        (folder / mutation.file).write_bytes(before)
    assert verify(folder).outcome is Outcome.PASSED


def test_with_a_new_manifest_only_the_listed_fields_escape(tmp_path: Path, original, all_mutations):
    folder = shutil.copytree(original, tmp_path / "run")
    escaped: dict[str, set[str]] = {}
    for mutation in all_mutations:
        if mutation.file == MANIFEST:
            continue
        before = (folder / mutation.file).read_bytes()
        (folder / mutation.file).write_bytes(mutation.content)
        seal(folder)
        if verify(folder).outcome is Outcome.PASSED:
            escaped.setdefault(mutation.file, set()).add(mutation.field)
        (folder / mutation.file).write_bytes(before)
    assert escaped == BY_HASH_ALONE


def test_an_absurd_number_is_an_answer_and_no_crash(tmp_path: Path, original):
    folder = shutil.copytree(original, tmp_path / "run")
    (folder / MANIFEST).unlink()
    source = random.Random(11)
    for _ in range(100):
        path = folder / source.choice(files_of(folder))
        before = path.read_bytes()
        text = gzip.decompress(before) if path.suffix == ".gz" else before
        spot = source.choice(list(re.finditer(rb"-?\d+(\.\d+)?|null|true", text)))
        text = text[: spot.start()] + source.choice(ABSURD) + text[spot.end() :]
        path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
        assert verify(folder).outcome in {Outcome.DIFFERS, Outcome.PARTIAL, Outcome.UNUSABLE}
        path.write_bytes(before)


def test_the_reference_lists_what_hashes_alone_protect():
    table = REFERENCE.read_text().partition("## What `verify` notices")[2]
    for file, fields in BY_HASH_ALONE.items():
        (row,) = [line for line in table.splitlines() if line.startswith(f"| `{file}`")]
        assert set(re.findall(r"`([^`]+)`", row)) - {file} == fields
