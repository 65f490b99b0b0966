"""The model server's command line takes what the manifests give it."""

import pytest

from tests.manifests.rendering import render
from tidegate_serving.flags import parse


def test_it_takes_the_arguments_of_the_manifests(tmp_path):
    (only,) = render("k8s")["Deployment", "tidegate-serving"]["spec"]["template"]["spec"]["containers"]
    for name, text in render("k8s")["ConfigMap", "tidegate-models"]["data"].items():
        (tmp_path / name).write_text(text)
    flags = parse([argument.replace("/config/", f"{tmp_path}/") for argument in only["args"]])
    assert {model.name: dict(model.version_labels) for model in flags.models} == {
        "and_gate": {"stable": 1},
        "digits": {"stable": 1},
    }


def test_labels_of_versions_that_are_not_there_cannot_be_forbidden(capsys):
    with pytest.raises(SystemExit):
        parse(["--model_base_path=/models", "--allow_version_labels_for_unavailable_models=false"])
    assert "invalid choice" in capsys.readouterr().err
