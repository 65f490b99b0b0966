"""Writes what the tests found as a file, so that a run can be kept and read by others."""

import json
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.cluster.cluster import Cluster
from tests.cluster.overlay import ROOT


@dataclass
class Evidence:
    """One run of the tests: on what, which tests, what each measured.

    Attributes:
        tests: Of each test its outcome, its seconds, and the figures that it noted.
        cluster: Versions of Kubernetes and the images, filled in by the first test that has a cluster.
    """

    tests: dict[str, dict[str, Any]] = field(default_factory=dict)
    cluster: dict[str, Any] = field(default_factory=dict)

    def note(self, test: str, figures: dict[str, Any]) -> None:
        """Keep a test's figures."""
        self.tests.setdefault(test, {})["figures"] = figures

    def end(self, test: str, outcome: str, seconds: float) -> None:
        """Keep how a test ended."""
        self.tests.setdefault(test, {}).update(outcome=outcome, seconds=round(seconds, 1))

    def look_at(self, cluster: Cluster) -> None:
        """Note what the tests ran on."""
        nodes = cluster.get("nodes")["items"]
        images = {
            status["image"]: status["imageID"]
            for pod in cluster.get("pods")["items"]
            for status in pod["status"].get("containerStatuses", ())
        }
        self.cluster = {
            "kubernetes": json.loads(cluster.kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"],
            "nodes": [{name: node["status"]["capacity"][name] for name in ("cpu", "memory")} for node in nodes],
            "images": self.cluster.get("images", {}) | images,
        }

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        document = {
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": _git("rev-parse", "HEAD"),
            "uncommitted_changes": bool(_git("status", "--porcelain")),
            **self.cluster,
            "tests": self.tests,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2) + "\n")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
