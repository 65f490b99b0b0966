"""What goes into the serving image, what it is called, and what MODEL, NAME and VERSION mean."""

import shutil
from pathlib import Path

import pytest

from release.candidate import look, signatures
from release.images import NewVersion, digest_of, dockerfile, server_version, tag_of
from release.state import Model, Volume
from release.transitions import Candidate
from tidegate_serving.model_source import ModelSourceError


def saved_model(folder: Path, content: str = "graph") -> Path:
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text(content)
    (folder / "variables/variables.index").write_text("index")
    return folder


def test_a_tag_stands_for_one_content(tmp_path):
    digests = {digest_of(saved_model(tmp_path / name, name)) for name in ("a", "b")}
    digests.add(digest_of(Path(shutil.copytree(tmp_path / "a", tmp_path / "c"))))
    assert len(digests) == 2
    tags = {tag_of("0.1.0", (Candidate("xor", 2, digest).model(),)) for digest in digests}
    assert len(tags) == 2
    assert all(tag.startswith("0.1.0-xor.2-") for tag in tags)
    assert {server_version(tag) for tag in tags} == {"0.1.0"}
    assert tag_of("0.1.0", (Model("and_gate", {"stable": 1}, {"stable": 100}, {}),)) == "0.1.0"


def test_an_image_is_made_of_the_servers_the_one_before_and_the_new_version(tmp_path):
    new = NewVersion("xor", 2, tmp_path)
    assert dockerfile("tidegate/serving:0.2.0", "tidegate/serving:0.1.0-xor.1-aa", ["xor/1"], new).splitlines() == [
        "FROM tidegate/serving:0.1.0-xor.1-aa AS previous",
        "FROM tidegate/serving:0.2.0",
        "COPY --from=previous /models/xor/1 /models/xor/1",
        "COPY model /models/xor/2",
    ]
    assert dockerfile("tidegate/serving:0.1.0", "x", [], new).splitlines()[0] == "FROM tidegate/serving:0.1.0"


@pytest.mark.parametrize(
    ("model", "name", "version", "found"),
    [
        ("xor", "", "", ("xor", 3)),
        ("xor", "mine", "2", ("mine", 2)),
        ("xor/2", "", "", ("xor", 2)),
        ("xor/2", "", "9", ("xor", 9)),
        ("plain", "", "", ("plain", 5)),
    ],
)
def test_a_version_has_the_number_that_is_named_or_its_folders_or_the_next(tmp_path, model, name, version, found):
    for folder in ("xor/2", "xor/3", "plain"):
        saved_model(tmp_path / folder)
    candidate = look(str(tmp_path / model), name, version, 5, tmp_path / "links").candidate
    assert (candidate.name, candidate.version) == found


def test_a_volume_is_taken_at_its_word():
    found = look("pvc:models/of/xor", "xor", "4", 1, Path())
    assert (found.candidate, found.new) == (Candidate("xor", 4, volume=Volume("models", "of/xor")), None)


@pytest.mark.parametrize(
    ("model", "name", "version", "told"),
    [
        ("nothing", "", "", "expected a SavedModel's folder, there is nothing"),
        ("xor", "a/b", "", "NAME=a/b: expected letters"),
        ("xor", "", "one", "VERSION=one: expected a whole number from 1"),
        ("xor", "", "0", "VERSION=0: expected a whole number from 1"),
        ("xor", "", "9", "VERSION=9: MODEL="),
        ("pvc:", "xor", "1", "expected pvc:CLAIM"),
        ("pvc:models", "xor", "", "nobody can look into a volume from here"),
        ("pvc:models/../x", "xor", "1", "without '..'"),
    ],
)
def test_what_cannot_be_served_is_refused_with_what_was_expected(tmp_path, model, name, version, told):
    saved_model(tmp_path / "xor/2")
    with pytest.raises(ModelSourceError) as refused:
        look(model if model.startswith("pvc") else str(tmp_path / model), name, version, 1, tmp_path / "links")
    assert told in str(refused.value)


def test_a_model_is_tried_before_anything_is_built(tmp_path, model_folder):
    assert signatures(model_folder / "and_gate/1") == ["serving_default"]
    with pytest.raises(ModelSourceError, match="the model server could not load this model"):
        signatures(saved_model(tmp_path / "broken/1"))
