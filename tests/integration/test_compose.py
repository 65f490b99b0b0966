"""compose.yaml says what the manifests say, and does it: up, an answer, scale, kill, down."""

import os
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tidegate_web.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
PACKAGES = {"web": "services/web", "serving": "services/serving", "loadtest": "."}


def container_of(tier: str) -> dict[str, Any]:
    manifests = yaml.safe_load_all((ROOT / "k8s" / "base" / f"{tier}.yaml").read_text())
    deployment = next(manifest for manifest in manifests if manifest["kind"] == "Deployment")
    return dict(deployment["spec"]["template"]["spec"]["containers"][0])


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def compose_commands() -> list[list[str]]:
    """Docker's plugin, and Debian's docker-compose 1.29, as far as they are installed."""
    commands = [shlex.split(os.environ["COMPOSE"])] if "COMPOSE" in os.environ else []
    if shutil.which("docker"):
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        commands += [["docker", "compose"]] if plugin.returncode == 0 else []
    commands += [["docker-compose"]] if shutil.which("docker-compose") else []
    return commands


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_the_version_of_this_checkout(name):
    version = tomllib.loads((ROOT / PACKAGES[name] / "pyproject.toml").read_text())["project"]["version"]
    service = SERVICES[name]
    assert re.fullmatch(rf"\$\{{[A-Z_]+:-tidegate/{name}:{re.escape(version)}\}}", service["image"])
    assert service["build"]["args"] == {"VERSION": version}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_never_pulled_from_a_stranger(name):
    assert SERVICES[name]["pull_policy"] == "never"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "user", "network_mode", "pid"} & service.keys()
    assert all(volume.endswith(":ro") for volume in service.get("volumes", []))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_reached_from_this_machine_only(name):
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


def test_the_model_server_gets_the_arguments_and_files_that_it_gets_on_kubernetes():
    assert SERVICES["serving"]["command"] == container_of("serving")["args"]
    mounted = dict(volume.split(":")[:2] for volume in SERVICES["serving"]["volumes"])
    assert all((ROOT / source).is_file() for source in mounted)
    named = re.findall(r"=(/config/\S+)", " ".join(SERVICES["serving"]["command"]))
    assert sorted(mounted.values()) == sorted(named)


def test_the_gateway_offers_the_models_that_it_offers_on_kubernetes():
    on_kubernetes = {entry["name"]: entry.get("value") for entry in container_of("web")["env"]}
    assert SERVICES["web"]["environment"]["TIDEGATE_MODELS"] == on_kubernetes["TIDEGATE_MODELS"]
    assert SERVICES["web"]["environment"]["TIDEGATE_CARDS_DIR"] == on_kubernetes["TIDEGATE_CARDS_DIR"]


def test_the_gateway_finds_all_containers_of_the_model_server_by_its_name():
    assert SERVICES["web"]["environment"]["TIDEGATE_BACKENDS"] == "dns:serving:8500"


def test_a_gateway_starts_after_a_model_server_is_healthy_and_both_are_checked():
    assert SERVICES["web"]["depends_on"] == {"serving": {"condition": "service_healthy"}}
    assert all("healthcheck" in SERVICES[name] and "restart" in SERVICES[name] for name in ("web", "serving"))


def test_a_container_has_the_time_to_finish_what_it_has():
    settings = Settings()
    longest = settings.request_timeout_s
    assert seconds(SERVICES["web"]["stop_grace_period"]) > settings.drain_s + longest
    assert seconds(SERVICES["serving"]["stop_grace_period"]) > longest


@pytest.mark.parametrize("files", [["compose.yaml"], ["compose.yaml", "compose.model.yaml"]], ids=len)
def test_compose_accepts_the_files(files):
    commands = compose_commands()
    if not commands:
        assert not os.environ.get("CI"), "docker-compose is missing"
        pytest.skip("neither docker compose nor docker-compose is installed")
    environment = os.environ | {"MODEL_DIR": "/srv/models/mine", "MODEL_NAME": "mine"}
    for command in commands:
        given = [*command, *(part for file in files for part in ("-f", file)), "config"]
        done = subprocess.run(given, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert ("mine" in done.stdout) == (len(files) > 1)


def test_an_own_model_without_its_name_is_asked_for_it():
    commands = compose_commands()
    if not commands:
        assert not os.environ.get("CI"), "docker-compose is missing"
        pytest.skip("neither docker compose nor docker-compose is installed")
    environment = {name: value for name, value in os.environ.items() if name != "MODEL_NAME"}
    for command in commands:
        given = [*command, "-f", "compose.yaml", "-f", "compose.model.yaml", "config"]
        done = subprocess.run(given, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        assert "expected the name to serve it as" in done.stderr
