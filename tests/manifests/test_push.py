"""`make push` says what to do about what a registry says. A real one is in tests/integration/test_push_runs.py."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

DOCKER = """\
#!/bin/sh
echo "$*" >>"$CALLS"
[ "$1" != push ] || { printf '%s\\n' "$WORDS" >&2; exit 1; }
"""


def push(tmp_path: Path, registry: str, words: str = "") -> "tuple[subprocess.CompletedProcess[str], list[str]]":
    """Push tidegate/web:0.1.0 by a docker that fails with these words; gives what was said, and docker's calls."""
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    calls = tmp_path / "calls"
    calls.touch()
    environment = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "CALLS": str(calls),
        "WORDS": words,
        "REGISTRY": registry,
    }
    done = subprocess.run(
        ["k8s/push.sh", "tidegate/web:0.1.0"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return done, calls.read_text().splitlines()


@pytest.mark.parametrize(
    ("registry", "said"),
    [
        ("", "expected the registry to push to: make push REGISTRY=registry.example/team"),
        ("https://registry.example/team", "expected a host and a path, without https://"),
    ],
)
def test_a_registry_that_is_none_is_refused_before_anything_is_done(tmp_path, registry, said):
    done, calls = push(tmp_path, registry)
    assert done.returncode == 1
    assert said in done.stderr
    assert calls == []


def test_the_name_has_no_more_levels_than_docker_hub_takes(tmp_path):
    _, calls = push(tmp_path, "docker.io/alice/")
    assert "tag tidegate/web:0.1.0 docker.io/alice/tidegate-web:0.1.0" in calls
    assert "push docker.io/alice/tidegate-web:0.1.0" in calls


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("denied: requested access to the resource is denied", "docker login registry.example"),
        ("unauthorized: authentication required", "docker login registry.example"),
        ("no basic auth credentials", "docker login registry.example"),
        ("name unknown: The repository with name 'tidegate-web' does not exist", "make it there"),
        ('Get "https://r/v2/": http: server gave HTTP response to HTTPS client', "insecure-registries"),
        ('Get "https://r/v2/": x509: certificate signed by unknown authority', "/etc/docker/certs.d/registry.example"),
        ('Get "https://r/v2/": dial tcp: lookup r: no such host', "does not answer"),
        ("something new", "docker's own words are above"),
    ],
)
def test_a_refusal_is_told_with_what_to_do_about_it(tmp_path, words, said):
    done, _ = push(tmp_path, "registry.example/team", words)
    assert done.returncode == 1
    assert words in done.stderr
    assert said in done.stderr
