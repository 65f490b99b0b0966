"""Versions, labels and swaps of the embedded model server, over models that are only names."""

import threading
from pathlib import Path
from typing import ClassVar

import pytest

from tidegate_proto.model_status_pb2 import ModelVersionStatus
from tidegate_proto.prediction_pb2 import ModelSpec
from tidegate_proto.server_config_pb2 import ModelConfig, ServableVersionPolicy
from tidegate_serving import versions
from tidegate_serving.catalog import Catalog
from tidegate_serving.errors import InvalidArgument, NotFound, ServingError
from tidegate_serving.savedmodel import LoadError

State = ModelVersionStatus.State


class FakeModel:
    """A loaded model that knows whether it was closed."""

    loaded: ClassVar[list["FakeModel"]] = []

    def __init__(self, folder: Path) -> None:
        if (folder / "broken").exists():
            raise LoadError(f"{folder}: broken")
        self.closed = False
        self.loaded.append(self)

    def close(self) -> None:
        self.closed = True


def catalog(base_path: Path, policy: ServableVersionPolicy | None = None, **labels: int) -> Catalog:
    FakeModel.loaded.clear()
    config = ModelConfig(name="gate", base_path=str(base_path), model_version_policy=policy, version_labels=labels)
    return Catalog([config], FakeModel)  # type: ignore[arg-type]  # as much of a SavedModel as a Catalog uses


def add(base_path: Path, *numbers: int | str) -> None:
    for number in numbers:
        (base_path / str(number)).mkdir(parents=True)


def spec(version: int | None = None, label: str | None = None) -> ModelSpec:
    message = ModelSpec(name="gate")
    if version is not None:
        message.version.value = version
    if label is not None:
        message.version_label = label
    return message


def used(models: Catalog, wanted: ModelSpec) -> int:
    with models.use(wanted) as (number, _):
        return number


def states(models: Catalog) -> dict[int, int]:
    return {status.version: status.state for status in models.statuses(spec())}


ALL = ServableVersionPolicy(all=ServableVersionPolicy.All())


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        (ServableVersionPolicy(), {10}),
        (ServableVersionPolicy(latest=ServableVersionPolicy.Latest(num_versions=2)), {2, 10}),
        (ALL, {1, 2, 10}),
        (ServableVersionPolicy(specific=ServableVersionPolicy.Specific(versions=[1, 7])), {1}),
    ],
)
def test_a_policy_picks_by_number_not_by_spelling(policy, wanted):
    assert versions.wanted({1, 2, 10}, policy) == wanted


def test_only_folders_named_by_an_int64_are_versions(tmp_path):
    add(tmp_path, 1, "007", "x", "-3", "1.5", str(2**63), ".export-abc")
    (tmp_path / "5").write_text("a file")
    assert set(versions.present(tmp_path)) == {1, 7}
    assert versions.present(tmp_path / "nowhere") == {}


def test_a_request_gets_the_newest_version_unless_it_names_one(tmp_path):
    add(tmp_path, 1, 2)
    models = catalog(tmp_path, ALL, stable=1)
    models.refresh()
    assert [used(models, wanted) for wanted in (spec(), spec(1), spec(2), spec(label="stable"))] == [2, 1, 2, 1]


@pytest.mark.parametrize(
    ("wanted", "error", "text"),
    [
        (ModelSpec(), InvalidArgument, "ModelSpec has no name specified."),
        (ModelSpec(name="other"), NotFound, "Servable not found for request: Latest(other)"),
        (spec(9), NotFound, "Servable not found for request: Specific(gate, 9)"),
        (spec(label="beta"), InvalidArgument, "Unrecognized servable version label: beta"),
        (spec(label="gone"), NotFound, "Servable not found for request: Specific(gate, 8)"),
    ],
)
def test_what_is_not_there_is_refused_in_tf_servings_words(tmp_path, wanted, error, text):
    add(tmp_path, 1)
    models = catalog(tmp_path, gone=8)
    models.refresh()
    with pytest.raises(error) as caught:
        used(models, wanted)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("wanted", "error", "text"),
    [
        (ModelSpec(name="other"), NotFound, "Could not find any versions of model other"),
        (spec(9), NotFound, "Could not find version 9 of model gate"),
        (spec(label="gone"), NotFound, "Could not find version 8 of model gate"),
        (spec(label="beta"), InvalidArgument, "Unrecognized servable version label: beta"),
    ],
)
def test_the_status_of_what_is_not_there_is_refused_in_tf_servings_words(tmp_path, wanted, error, text):
    add(tmp_path, 1)
    models = catalog(tmp_path, gone=8)
    models.refresh()
    with pytest.raises(error) as caught:
        models.statuses(wanted)
    assert str(caught.value) == text


def test_a_new_version_is_loaded_before_the_old_one_goes(tmp_path):
    add(tmp_path, 1)
    models = catalog(tmp_path)
    models.refresh()
    add(tmp_path, 2)
    models.refresh()
    assert used(models, spec()) == 2
    assert states(models) == {2: State.AVAILABLE}
    assert [model.closed for model in FakeModel.loaded] == [True, False]


def test_a_broken_version_leaves_the_old_one_serving_and_says_why(tmp_path):
    add(tmp_path, 1)
    models = catalog(tmp_path)
    models.refresh()
    add(tmp_path, 2, "2/broken")
    models.refresh()
    assert used(models, spec()) == 1
    assert states(models) == {1: State.AVAILABLE, 2: State.END}
    (problem,) = [status.status.error_message for status in models.statuses(spec(2))]
    assert "broken" in problem


def test_removing_the_new_version_rolls_back(tmp_path):
    add(tmp_path, 1, 2)
    models = catalog(tmp_path)
    models.refresh()
    (tmp_path / "2").rmdir()
    models.refresh()
    assert used(models, spec()) == 1


def test_an_emptied_folder_does_not_take_the_model_away(tmp_path):
    add(tmp_path, 1)
    models = catalog(tmp_path)
    models.refresh()
    (tmp_path / "1").rmdir()
    models.refresh()
    assert used(models, spec()) == 1


def test_a_version_in_use_is_not_unloaded(tmp_path):
    add(tmp_path, 1)
    models = catalog(tmp_path)
    models.refresh()
    add(tmp_path, 2)
    with models.use(spec()):
        swap = threading.Thread(target=models.refresh)
        swap.start()
        while used(models, spec()) != 2:
            pass
        assert not any(model.closed for model in FakeModel.loaded)
    swap.join(timeout=5)
    assert [model.closed for model in FakeModel.loaded] == [True, False]


def test_a_model_without_versions_says_what_was_expected(tmp_path):
    models = catalog(tmp_path)
    models.refresh()
    (missing,) = models.unavailable()
    assert "expected sub-folders named 1, 2, …" in missing


def test_long_texts_are_cut_as_tf_serving_cuts_them():
    text = ServingError("é" * 2000).text
    assert text.endswith("...TRUNCATED")
    assert len(text.encode()) <= 1024
    assert ServingError("short").text == "short"
