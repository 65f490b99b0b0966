"""`make images` tags and labels by OCI conventions, in a checkout of its own with a docker that only takes notes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from release.checkout import Checkout

ROOT = Path(__file__).resolve().parents[2]
VERSION = Checkout(ROOT).version("serving")
COMMIT_DATE = "2030-01-02T03:04:05+02:00"
GIT = ["git", "-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]

DOCKER = """\
#!/bin/sh
echo "$*" >>"$CALLS"
[ "$1" = history ] && echo 7
exit 0
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The scripts and Dockerfiles alone, committed, with two models that are trained and wheels that are there."""
    folder = tmp_path / "checkout"
    for path in ("k8s/say.sh", "k8s/images.sh", "k8s/wheels.sh", "k8s/image_sizes.sh", "pyproject.toml"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    for path in ("services/web", "services/serving", "loadtest"):
        (folder / path).mkdir(parents=True, exist_ok=True)
        for file in [*(ROOT / path).glob("Dockerfile*"), *(ROOT / path).glob("pyproject.toml")]:
            shutil.copy(file, folder / path)
    (folder / ".gitignore").write_text("build\n")
    for version in ("and_gate/1", "and_gate/2", "digits/1"):
        (folder / "build/models" / version).mkdir(parents=True)
    for command in (["git", "init", "--quiet"], [*GIT, "add", "."], [*GIT, "commit", "--quiet", "--message", "Begin"]):
        subprocess.run(command, cwd=folder, env=os.environ | {"GIT_COMMITTER_DATE": COMMIT_DATE}, check=True)
    return folder


def images(checkout: Path, tmp_path: Path, names: str, **variables: str) -> list[str]:
    """Build images by a docker that writes down how it was called; gives that."""
    commands = tmp_path / "commands"
    (commands / "bin").mkdir(parents=True, exist_ok=True)
    (commands / "docker").write_text(DOCKER)
    (commands / "bin/python").write_text("#!/bin/sh\n")
    for command in ("docker", "bin/python"):
        (commands / command).chmod(0o755)
    calls = tmp_path / "calls"
    environment = {
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "CALLS": str(calls),
        "VENV": str(commands),
        "IMAGES": names,
        "HOME": str(tmp_path),
        **variables,
    }
    done = subprocess.run(["k8s/images.sh"], cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return calls.read_text().splitlines()


def build_of(calls: list[str]) -> str:
    (call,) = (call for call in calls if call.startswith("build "))
    return call


def commit_of(checkout: Path) -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_an_image_says_of_which_commit_and_on_what_it_was_built(checkout, tmp_path):
    call = build_of(images(checkout, tmp_path, "serving"))
    assert "--label org.opencontainers.image.base.name=docker.io/tensorflow/serving:2.19.1" in call
    assert f"--label org.opencontainers.image.revision={commit_of(checkout)} " in call
    assert "--label org.opencontainers.image.created=2030-01-02T01:04:05Z" in call
    assert "org.opencontainers.image.source" not in call


def test_an_image_of_changed_files_says_that_they_were(checkout, tmp_path):
    (checkout / "pyproject.toml").write_text((checkout / "pyproject.toml").read_text() + "\n")
    assert f"revision={commit_of(checkout)}-dirty " in build_of(images(checkout, tmp_path, "serving"))


def test_what_was_deployed_from_a_checkout_changes_none_of_its_images(checkout, tmp_path):
    own = checkout / "k8s/overlays/own"
    own.mkdir(parents=True)
    (own / "release.yaml").write_text("context: kind-tidegate\n")
    assert "-dirty" not in build_of(images(checkout, tmp_path, "serving"))


def test_without_git_an_image_says_nothing_about_a_commit(checkout, tmp_path):
    shutil.rmtree(checkout / ".git")
    call = build_of(images(checkout, tmp_path, "serving", GIT_CEILING_DIRECTORIES=str(tmp_path)))
    assert "revision" not in call
    assert "created" not in call


def test_the_serving_image_names_the_models_in_it_by_label_and_tag(checkout, tmp_path):
    calls = images(checkout, tmp_path, "serving")
    assert "--label tidegate.models=and_gate.1.2,digits.1" in build_of(calls)
    assert f"tag tidegate/serving:{VERSION} tidegate/serving:{VERSION}-and_gate.1.2-digits.1" in calls


def test_models_that_no_tag_can_name_are_named_by_the_label_alone(checkout, tmp_path):
    (checkout / "build/models" / ("long" * 40) / "1").mkdir(parents=True)
    calls = images(checkout, tmp_path, "serving")
    assert f"{'long' * 40}.1" in build_of(calls)
    assert not any(call.startswith("tag ") for call in calls)


def test_a_mirror_and_where_the_code_is_can_be_said(checkout, tmp_path):
    given = {"TENSORFLOW_SERVING_IMAGE": "mirror.example/tf:1", "SOURCE": "https://git.example/tidegate"}
    call = build_of(images(checkout, tmp_path, "serving", **given))
    assert "--build-arg BASE_IMAGE=mirror.example/tf:1" in call
    assert "--label org.opencontainers.image.base.name=mirror.example/tf:1" in call
    assert "--label org.opencontainers.image.source=https://git.example/tidegate" in call
