"""Scripts and Dockerfiles pass their linters and keep their promises."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.manifests.tools import tool

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
    assert 'org.opencontainers.image.version="${VERSION}"' in text


def test_both_model_server_images_say_which_one_they_are():
    said = re.findall(r'tidegate.model-server="([a-z-]+)"', "".join(path.read_text() for path in DOCKERFILES))
    assert sorted(said) == ["embedded", "tensorflow-serving"]
