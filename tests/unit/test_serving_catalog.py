"""Versions, labels and swaps of the embedded model server, over models that are only names."""

from pathlib import Path
from typing import Any, ClassVar

import pytest

from tidegate_proto.model_status_pb2 import ModelVersionStatus
from tidegate_proto.prediction_pb2 import ModelSpec
from tidegate_proto.server_config_pb2 import ModelConfig, ServableVersionPolicy
from tidegate_serving import model_config, versions
from tidegate_serving.catalog import Catalog
from tidegate_serving.errors import FailedPrecondition, InvalidArgument, NotFound, ServingError, Unknown
from tidegate_serving.loading import Loader
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


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders count as written when they are looked at; the tests of that set their own time."""
    monkeypatch.setattr(versions, "SETTLED_S", 0.0)


class Served:
    """A catalogue and what keeps it."""

    def __init__(
        self, *configs: ModelConfig, labels_ahead: bool = True, labels_free: bool = False, **loader: Any
    ) -> None:
        FakeModel.loaded.clear()
        self.catalog = Catalog(labels_ahead=labels_ahead, labels_free=labels_free)
        self.catalog.configure(configs)
        self.loader = Loader(self.catalog, FakeModel, **loader)  # type: ignore[arg-type]  # as much of a model as it uses
        self.use = self.catalog.use
        self.statuses = self.catalog.statuses
        self.unavailable = self.catalog.unavailable
        self.refresh = self.loader.refresh


def gate(base_path: Path, policy: ServableVersionPolicy | None = None, **labels: int) -> ModelConfig:
    return ModelConfig(
        name="gate",
        base_path=str(base_path),
        model_platform="tensorflow",
        model_version_policy=policy,
        version_labels=labels,
    )


def catalog(base_path: Path, policy: ServableVersionPolicy | None = None, **labels: int) -> Served:
    return Served(gate(base_path, policy, **labels))


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


def used(models: Served, wanted: ModelSpec) -> int:
    with models.use(wanted) as (number, _):
        return number


def states(models: Served) -> dict[int, int]:
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
    assert states(models) == {2: State.AVAILABLE, 1: State.END}
    assert [model.closed for model in FakeModel.loaded] == [True, False]


def test_a_broken_version_leaves_the_old_one_serving_and_says_why(tmp_path):
    add(tmp_path, 1)
    models = Served(gate(tmp_path), retries=0)
    models.refresh()
    add(tmp_path, 2, "2/broken")
    models.refresh()
    assert used(models, spec()) == 1
    assert states(models) == {1: State.AVAILABLE, 2: State.END}
    (problem,) = [status.status.error_message for status in models.statuses(spec(2))]
    assert "broken" in problem


def test_a_label_does_not_choose_whose_status_is_told(tmp_path):
    add(tmp_path, 1, 2)
    models = catalog(tmp_path, ALL, stable=1)
    models.refresh()
    assert [status.version for status in models.statuses(spec(label="stable"))] == [2, 1]
    assert models.statuses(spec(label="nobody's")) == models.statuses(spec())


def test_removing_the_new_version_rolls_back(tmp_path):
    add(tmp_path, 1, 2)
    models = catalog(tmp_path)
    models.refresh()
    (tmp_path / "2").rmdir()
    models.refresh()
    assert used(models, spec()) == 1


@pytest.mark.parametrize("always_present", [False, True])
def test_a_model_whose_last_version_goes_goes_too_unless_told_otherwise(tmp_path, always_present):
    add(tmp_path, 1)
    models = Served(gate(tmp_path), always_present=always_present)
    models.refresh()
    (tmp_path / "1").rmdir()
    models.refresh()
    assert states(models) == {1: State.AVAILABLE if always_present else State.END}
    add(tmp_path, 1)
    models.refresh()
    assert used(models, spec()) == 1


def test_a_folder_that_vanishes_whole_does_not_take_the_model_away(tmp_path):
    add(tmp_path / "gate", 1)
    models = catalog(tmp_path / "gate")
    models.refresh()
    (tmp_path / "gate").rename(tmp_path / "elsewhere")
    models.refresh()
    assert used(models, spec()) == 1


def test_a_version_in_use_is_not_unloaded(tmp_path):
    add(tmp_path, 1)
    models = catalog(tmp_path)
    models.refresh()
    add(tmp_path, 2)
    with models.use(spec()):
        models.refresh()
        assert used(models, spec()) == 2
        assert states(models) == {2: State.AVAILABLE, 1: State.UNLOADING}
        assert not any(model.closed for model in FakeModel.loaded)
    assert states(models) == {2: State.AVAILABLE, 1: State.END}
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


def test_a_version_that_is_still_being_written_waits(tmp_path, monkeypatch):
    add(tmp_path, 1)
    models = catalog(tmp_path)
    models.refresh()
    monkeypatch.setattr(versions, "SETTLED_S", 60.0)
    add(tmp_path, 2)
    models.refresh()
    assert used(models, spec()) == 1
    assert states(models) == {1: State.AVAILABLE, 2: State.START}
    monkeypatch.setattr(versions, "SETTLED_S", 0.0)
    models.refresh()
    assert states(models) == {2: State.AVAILABLE, 1: State.END}


def test_a_broken_version_is_tried_again_when_its_folder_changes_and_else_as_often_as_said(tmp_path):
    add(tmp_path, 1, "1/broken")
    models = Served(gate(tmp_path), retries=1, retry_s=0.0)
    attempts = []
    for _ in range(4):
        models.refresh()
        attempts.append(models.catalog.servables()[0].versions[1].attempts)
    assert attempts == [1, 2, 2, 2]
    (tmp_path / "1" / "broken").rmdir()
    models.refresh()
    assert states(models) == {1: State.AVAILABLE}


def test_statuses_are_the_newest_first_and_carry_a_status_each(tmp_path):
    add(tmp_path, 1, 2, 10)
    models = catalog(tmp_path, ALL)
    models.refresh()
    statuses = models.statuses(spec())
    assert [status.version for status in statuses] == [10, 2, 1]
    assert all(status.HasField("status") and status.status.error_code == 0 for status in statuses)


def test_logging_that_is_asked_for_is_named_as_not_done(tmp_path, caplog):
    config = gate(tmp_path)
    config.logging_config.sampling_config.sampling_rate = 0.5
    model_config.check([config])
    assert "accepted and not honoured: logging_config of gate" in caplog.text


@pytest.mark.parametrize(
    ("ahead", "before", "after", "refused"),
    [
        (False, {}, {"stable": 1}, None),
        (False, {}, {"stable": 9}, 9),
        (True, {}, {"stable": 9}, None),
        (True, {"stable": 1}, {"stable": 9}, 9),
        (True, {"stable": 1}, {"stable": 2, "canary": 9}, None),
        (True, {"stable": 9}, {"stable": 9}, None),
    ],
)
def test_a_label_is_given_by_tf_servings_rule(tmp_path, ahead, before, after, refused):
    add(tmp_path, 1, 2)
    models = Served(gate(tmp_path, ALL), labels_ahead=ahead)
    models.refresh()
    models.catalog.configure([gate(tmp_path, ALL, **before)])
    if refused is None:
        models.catalog.configure([gate(tmp_path, ALL, **after)])
        after_all = after
    else:
        with pytest.raises(FailedPrecondition) as caught:
            models.catalog.configure([gate(tmp_path, ALL, **after)])
        said = f"Request to assign label to version {refused} of model gate, which is not currently available for"
        assert str(caught.value) == f"{said} inference"
        after_all = before
    for label, number in after_all.items():
        if number != 9:
            assert used(models, spec(label=label)) == number


def test_labels_that_are_free_may_move_to_any_version(tmp_path):
    add(tmp_path, 1)
    models = Served(gate(tmp_path, stable=1), labels_free=True)
    models.refresh()
    models.catalog.configure([gate(tmp_path, stable=9)])
    with pytest.raises(NotFound, match=r"^Servable not found for request: Specific\(gate, 9\)$"):
        used(models, spec(label="stable"))


def test_a_reload_serves_the_new_list_and_that_alone(tmp_path):
    add(tmp_path / "a", 1)
    add(tmp_path / "b", 1)
    models = catalog(tmp_path / "a")
    models.refresh()
    models.loader.reload([ModelConfig(name="other", base_path=str(tmp_path / "b"), model_platform="tensorflow")])
    assert used(models, ModelSpec(name="other")) == 1
    with pytest.raises(NotFound, match=r"Servable not found for request: Latest\(gate\)"):
        used(models, spec())
    assert states(models) == {1: State.END}


def test_a_reload_with_a_broken_model_says_so_and_serves_the_others(tmp_path):
    add(tmp_path / "a", 1)
    add(tmp_path / "b", 1, "1/broken")
    models = catalog(tmp_path / "a")
    models.refresh()
    with pytest.raises(Unknown, match=r"1 model\(s\) did not become available: \{other: .*broken"):
        models.loader.reload(
            [
                gate(tmp_path / "a"),
                ModelConfig(name="other", base_path=str(tmp_path / "b"), model_platform="tensorflow"),
            ]
        )
    assert used(models, spec()) == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ([{}, {}], "Illegal to list model gate multiple times in config list"),
        ([{"base_path": "models"}], "Expected model gate to have an absolute path or URI; got base_path()=models"),
        (
            [{"model_platform": ""}],
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform.",
        ),
        ([{"model_platform": "caffe"}], "Illegal to change a model's platform. For model gate platform was tensorflow"),
        ([{"model_platform": "", "model_type": "OTHER"}], "ModelServerConfig::model_type choice 2 not supported."),
        ([{"name": "new", "model_platform": "caffe"}], "Model new requests unsupported platform caffe"),
    ],
)
def test_a_list_that_cannot_be_served_changes_nothing(tmp_path, changed, said):
    add(tmp_path, 1)
    models = catalog(tmp_path)
    models.refresh()
    fields = {"name": "gate", "base_path": str(tmp_path), "model_platform": "tensorflow"}
    with pytest.raises(InvalidArgument) as caught:
        models.loader.reload([ModelConfig(**(fields | one)) for one in changed])
    assert str(caught.value).startswith(said)
    assert used(models, spec()) == 1
