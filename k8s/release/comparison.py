"""Whether a new version answers as the old one does, by what `make compare-versions` runs."""

import os
import subprocess
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

from release import cluster
from release.checkout import Checkout
from release.state import CANARY, STABLE, Model

HTTP_PORT = 8080

DIFFERS = 1
"""Exit code of k8s/compare-versions.sh past a threshold; others tell that nothing could be compared."""


class DiffersError(Exception):
    """The new version does not answer as the old one does."""


class NotComparedError(Exception):
    """Nobody knows: the two could not be compared."""


def compare(checkout: Checkout, model: Model, environment: Mapping[str, str]) -> None:
    """Ask the stable and the new version of a model the same.

    Args:
        checkout: Has the script, and the model's card.
        model: The model.
        environment: For the script: HOST, SAMPLES and the like. Without HOST a port is forwarded.

    Raises:
        DiffersError: They differ too much.
        NotComparedError: They could not be compared.
        ClusterError: The gateway cannot be reached.
    """
    card = Path(os.path.relpath(checkout.own / f"cards/{model.name}.json", checkout.root))  # where the script goes
    old, new = model.labels[STABLE], model.labels[CANARY]
    given = {"CARD": str(card)} if (checkout.root / card).is_file() else {}
    given |= {**environment, "NAME": model.name, "VERSIONS": f"{old},{new}"}
    host = environment.get("HOST", "")
    with nullcontext(host) if host else cluster.forwarded(HTTP_PORT) as address:
        script = checkout.root / "k8s/compare-versions.sh"
        code = subprocess.run([script], check=False, env={**given, "HOST": address}).returncode
    if code == DIFFERS:
        raise DiffersError(
            f"version {new} of {model.name} was not promoted: it does not answer as version {old} does (see above). "
            f"If it is to be so: make promote NAME={model.name} FORCE=1"
        )
    if code:
        raise NotComparedError(
            f"version {new} of {model.name} was not promoted: it could not be compared with version {old} (see above). "
            f"Give it what it lacks, such as SAMPLES=file, TOKEN_FILE=file or ARGS='--signature NAME'; "
            f"or promote it untried: make promote NAME={model.name} FORCE=1"
        )
