"""The model server's command line takes what the manifests give it."""

from tests.manifests.rendering import render
from tidegate_serving.settings import read


def test_it_takes_the_arguments_of_the_manifests(tmp_path):
    (only,) = render("k8s")["Deployment", "tidegate-serving"]["spec"]["template"]["spec"]["containers"]
    for name, text in render("k8s")["ConfigMap", "tidegate-models"]["data"].items():
        (tmp_path / name).write_text(text)
    settings = read([argument.replace("/config/", f"{tmp_path}/") for argument in only["args"]])
    assert {model.name: dict(model.version_labels) for model in settings.models} == {
        "and_gate": {"stable": 1},
        "digits": {"stable": 1},
    }

    assert settings.labels_ahead
    assert not settings.ignored
