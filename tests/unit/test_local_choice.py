"""What `make run` serves, from the variables that it is given."""

from pathlib import Path

import pytest

from choice import Choice, ChoiceError, check_variables
from tidegate_serving.model_source import ModelSourceError, configuration, find


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder of two versions."""
    for number in ("1", "2"):
        (tmp_path / "gate" / number).mkdir(parents=True)
        (tmp_path / "gate" / number / "saved_model.pb").touch()
    return tmp_path / "gate"


def config(state: Path, **variables: str) -> str:
    return configuration(Choice.from_environ(variables).sources(state))


def test_the_newest_version_is_served_as_on_a_cluster(model, tmp_path):
    assert "model_version_policy" not in config(tmp_path, MODEL=str(model))


def test_all_versions_are_served_where_they_are_asked_for(model, tmp_path):
    assert config(tmp_path, MODEL=str(model), VERSIONS="all").count("model_version_policy { all { } }") == 1
    assert config(tmp_path, VERSIONS="all").count("model_version_policy { all { } }") == 2


def test_versions_with_labels_are_served_under_them(model, tmp_path):
    written = config(tmp_path, MODEL=str(model), VERSIONS="stable:1,canary:2")
    assert "specific { versions: 1 versions: 2 }" in written
    assert 'version_labels { key: "canary" value: 2 }' in written


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ("both", "VERSIONS=both: expected all, or labels with versions such as stable:1,canary:2"),
        ("1,2", "VERSIONS=1,2: expected all, or labels"),
        ("stable:1,canary:3", "VERSIONS=stable:1,canary:3: no version 3; there is 1, 2"),
    ],
)
def test_versions_that_cannot_be_are_told_with_what_there_is(model, tmp_path, versions, said):
    with pytest.raises(ChoiceError, match=said):
        config(tmp_path, MODEL=str(model), VERSIONS=versions)


def test_a_variable_that_nobody_reads_is_refused_with_those_that_are_read():
    check_variables(("MODEL", "HTTP_PORT", "TIDEGATE_TOKENS_FILE"))
    with pytest.raises(ChoiceError, match=r"reads no HTTPPORT \(did you mean HTTP_PORT\?\): expected one of MODEL"):
        check_variables(("HTTPPORT",))
    with pytest.raises(ChoiceError, match=r"reads no Q: expected one of MODEL"):
        check_variables(("Q",))


def test_a_file_is_told_the_way_to_a_folder(tmp_path):
    (tmp_path / "net.keras").touch()
    with pytest.raises(ModelSourceError, match=r"load_model\('.*/net\.keras'\)\.export\('.*/net'\)"):
        find(str(tmp_path / "net.keras"), "", tmp_path)
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(ModelSourceError, match=f"name its folder, {tmp_path}"):
        find(str(tmp_path / "saved_model.pb"), "", tmp_path)
