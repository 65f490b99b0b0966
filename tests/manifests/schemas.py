"""Holds manifests against the schemas of Kubernetes and of the operators whose objects we use. No cluster is asked.

Kubernetes' schemas come with the package kubernetes-validate. Those of custom resources are read out of the Go modules
of their operators, which Go's proxy gives and the sums below vouch for. Rules in CEL are left to API servers.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import kubernetes_validate
import yaml

from tests.manifests.rendering import Manifest
from tests.tools import tool

OLDEST = "1.30"
"""The first version where `preStop.sleep` is on by default."""

NEWEST = str(kubernetes_validate.latest_version())


class Unfit(Exception):  # noqa: N818 it names what the manifest is
    """A manifest that its schema does not take; the text says where and why."""


@dataclass(frozen=True)
class Operator:
    """Where an operator keeps the definitions of its resources."""

    module: str
    sum: str
    folder: str


OPERATORS = {
    "keda.sh": Operator(
        "github.com/kedacore/keda/v2@v2.20.2", "h1:SR60v8uIcelbveS8n/1jcl8tLdBBIbHMxmdOHw8tKqA=", "config/crd/bases"
    ),
    "monitoring.coreos.com": Operator(
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        "example/prometheus-operator-crd",
    ),
}


def check(manifest: Manifest) -> None:
    """Hold one manifest against its schema; unknown fields count as errors.

    Raises:
        Unfit: It does not fit, or nobody knows its kind.
    """
    group = manifest["apiVersion"].rpartition("/")[0]
    if group in OPERATORS:
        error = next(_validator(group, manifest["apiVersion"], manifest["kind"]).iter_errors(manifest), None)
        if error is not None:
            raise Unfit(f"{manifest['kind']} {'.'.join(map(str, error.instance_path))}: {error.message}")
        return
    for version in (OLDEST, NEWEST):
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            where = ".".join(map(str, error.path))
            raise Unfit(f"{manifest['kind']} {where}: {error.message} (Kubernetes {version})") from None
        except kubernetes_validate.SchemaNotFoundError as error:
            raise Unfit(error.message) from None


@cache
def module_folder(module: str, expected_sum: str) -> Path:
    """Give the folder of a Go module of the sum that we know, downloaded if it is not there yet."""
    environment = os.environ | {"GOSUMDB": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
    done = subprocess.run(
        [tool("go"), "mod", "download", "-json", module],
        capture_output=True, text=True, check=False, timeout=120, cwd=Path(__file__).parent, env=environment,
    )  # fmt: skip
    found = json.loads(done.stdout or "{}")
    assert "Dir" in found, f"{module}: {found.get('Error', done.stderr)}"
    assert found["Sum"] == expected_sum, f"{module}: expected the sum {expected_sum}, came {found['Sum']}"
    return Path(found["Dir"])


@cache
def _validator(group: str, api_version: str, kind: str) -> jsonschema_rs.Draft202012Validator:
    operator = OPERATORS[group]
    file = module_folder(operator.module, operator.sum) / operator.folder / f"{group}_{kind.lower()}s.yaml"
    if not file.exists():
        raise Unfit(f"{kind}: {operator.module} defines no such kind")
    definition = yaml.load(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 safe both
    for version in definition["spec"]["versions"]:
        if f"{group}/{version['name']}" == api_version and version["served"]:
            return jsonschema_rs.Draft202012Validator(closed(version["schema"]["openAPIV3Schema"]))
    raise Unfit(f"{kind}: {operator.module} does not serve {api_version}")


def closed(schema: Any) -> Any:
    """Translate a structural schema into a JSON schema that refuses unknown fields, where an API server prunes them."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    translated = {
        key: {name: closed(part) for name, part in value.items()} if key == "properties" else closed(value)
        for key, value in schema.items()
    }
    if schema.get("nullable") and "type" in schema:
        translated["type"] = [schema["type"], "null"]
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        translated.setdefault("additionalProperties", False)
    return translated
