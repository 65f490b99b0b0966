"""`k8s/push.sh` pushes to a real registry, which then has what was said; one that wants a login says so."""

import json
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.compose import ROOT
from tests.tools import tool

pytestmark = pytest.mark.cluster

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
NAME, TAG = "push-test", "1"
IMAGE = f"tidegate/{NAME}:{TAG}"


@contextmanager
def registry(folder: Path, port: int, *, wants_login: bool) -> Iterator[str]:
    """Run Debian's docker-registry on loopback, which Docker speaks plain HTTP to; gives host and port."""
    command = tool("docker-registry")
    settings = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
        "http": {"addr": f"127.0.0.1:{port}"},
        "log": {"level": "error"},
    }
    if wants_login:
        (folder / "htpasswd").touch()
        settings["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
    (folder / "registry.yml").write_text(json.dumps(settings))  # JSON is YAML
    with subprocess.Popen([command, "serve", str(folder / "registry.yml")], stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/")
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.05)


def push(host: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["k8s/push.sh", IMAGE],
        cwd=ROOT,
        env=os.environ | {"REGISTRY": f"{host}/team"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def image() -> Iterator[None]:
    """A small image; it and the tags that a test gives it are gone afterwards."""
    content = subprocess.run(["tar", "--create", "-C", ROOT, "LICENSE"], capture_output=True, check=True)
    subprocess.run(["docker", "import", "-", IMAGE], input=content.stdout, stdout=subprocess.DEVNULL, check=True)
    yield
    tags = subprocess.run(
        ["docker", "image", "inspect", "--format", '{{join .RepoTags " "}}', IMAGE],
        capture_output=True,
        text=True,
        check=True,
    )
    subprocess.run(["docker", "rmi", *tags.stdout.split()], stdout=subprocess.DEVNULL, check=True)


@pytest.mark.usefixtures("image")
def test_what_was_pushed_is_there_under_the_digest_that_was_said(tmp_path, free_ports):
    with registry(tmp_path, free_ports(), wants_login=False) as host:
        done = push(host)
        assert done.returncode == 0, done.stderr
        said = re.search(rf"^Pushed {host}/team/tidegate-{NAME}@(sha256:[0-9a-f]+)$", done.stdout, re.MULTILINE)
        assert said is not None
        url = f"http://{host}/v2/team/tidegate-{NAME}/manifests/{TAG}"
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": MANIFEST}), timeout=10) as answer:
            assert answer.headers["Docker-Content-Digest"] == said[1]


@pytest.mark.usefixtures("image")
def test_a_registry_that_wants_a_login_says_so(tmp_path, free_ports):
    with registry(tmp_path, free_ports(), wants_login=True) as host:
        done = push(host)
        assert done.returncode == 1
        assert f"docker login {host}" in done.stderr
