"""compose.yaml says what the manifests say, and Compose takes it."""

import os
import re
import subprocess
import tomllib
from typing import Any

import pytest
import yaml

from tests.integration.compose import ROOT, compose_command
from tidegate_web.settings import Settings

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
PACKAGES = {"web": "services/web", "serving": "services/serving", "loadtest": "."}


def container_of(tier: str) -> dict[str, Any]:
    manifests = yaml.safe_load_all((ROOT / "k8s" / "base" / f"{tier}.yaml").read_text())
    deployment = next(manifest for manifest in manifests if manifest["kind"] == "Deployment")
    return dict(deployment["spec"]["template"]["spec"]["containers"][0])


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


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
    assert service["tmpfs"] == ["/tmp"]  # noqa: S108 the containers' own
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


def config(*files: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    named = [part for file in files for part in ("-f", file)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MODEL_")} | variables
    return subprocess.run(
        [*compose_command(), *named, "config"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_compose_accepts_the_file():
    done = config("compose.yaml")
    assert done.returncode == 0, done.stderr


def test_an_own_model_takes_the_place_of_those_in_the_image():
    done = config("compose.yaml", "compose.model.yaml", MODEL_DIR="/srv/mine", MODEL_NAME="mine")
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert "--model_base_path=/models/mine" in services["serving"]["command"]
    assert not any(part.startswith("--model_config_file") for part in services["serving"]["command"])
    assert services["web"]["environment"]["TIDEGATE_MODELS"] == "mine"


def test_an_own_model_without_its_name_is_asked_for_it():
    done = config("compose.yaml", "compose.model.yaml", MODEL_DIR="/srv/mine")
    assert done.returncode != 0
    assert "expected the name to serve it as" in done.stderr
