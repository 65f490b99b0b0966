"""Scripts and Dockerfiles pass their linters and keep their promises."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.tools import tool

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = [
    *sorted(path for folder in ("k8s", "local", "proto", "requirements") for path in (ROOT / folder).glob("*.sh")),
    ROOT / ".ci" / "run",
]
DOCKERFILES = sorted((*ROOT.glob("services/*/Dockerfile*"), ROOT / "loadtest" / "Dockerfile"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_script_passes_shellcheck(script):
    done = subprocess.run(
        [tool("shellcheck"), "-x", "-P", "SCRIPTDIR", script], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_dockerfile_passes_hadolint(dockerfile):
    done = subprocess.run([tool("hadolint"), dockerfile], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_there_are_four_dockerfiles():
    assert len(DOCKERFILES) == 4


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_dockerfile_needs_no_network_and_works_with_the_classic_builder(dockerfile):
    text = dockerfile.read_text()
    assert not re.search(r"^\s*(RUN|COPY|ADD) --(mount|chmod|link)|<<", text, re.MULTILINE)
    assert all("--no-index" in line for line in text.splitlines() if "pip install" in line)
    assert "ARG BASE_IMAGE=" in text
    assert re.search(r"^USER \d+:\d+$", text, re.MULTILINE)
    assert re.search(r"^ENTRYPOINT \[", text, re.MULTILINE)


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_image_says_what_it_is_and_nothing_of_where_it_was_made(dockerfile):
    text = dockerfile.read_text()
    labels = dict(re.findall(r'(\S+)="(.*)"', text.partition("LABEL ")[2]))
    assert labels["org.opencontainers.image.title"] == f"tidegate/{dockerfile.parent.name}"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.version"] == "${VERSION}"
    assert labels["org.opencontainers.image.description"]
    assert not any("://" in value for value in labels.values())


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_new_version_of_ours_does_not_make_the_layer_of_dependencies_anew(dockerfile):
    steps = re.findall(r"^(COPY --from|COPY|ARG VERSION|RUN|LABEL)\b.*", dockerfile.read_text(), re.MULTILINE)
    assert steps[-2:] == ["ARG VERSION", "LABEL"]
    assert "build/wheels" not in dockerfile.read_text() or "/*.whl /wheels/" in dockerfile.read_text()


def test_both_model_server_images_say_which_one_they_are():
    said = re.findall(r'tidegate.model-server="([a-z-]+)"', "".join(path.read_text() for path in DOCKERFILES))
    assert sorted(said) == ["embedded", "tensorflow-serving"]
