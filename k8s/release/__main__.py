"""`k8s/release.sh VERB`: change what is deployed. Each verb reads variables from the environment, as make gives them.

deploy    MODEL NAME VERSION OVERLAY COMPONENTS REGISTRY WEB_VERSION SKIP_BUILD SKIP_TRIAL FORCE
release   NAME MODEL VERSION SKIP_TRIAL
canary    NAME PERCENT
promote   NAME FORCE; HOST, SAMPLES and the others of k8s/compare-versions.sh
rollback  NAME, or TIER=web TO
registry  REGISTRY: only writes the folder

OWN names another folder than k8s/overlays/own for what is deployed, one for each cluster or namespace.
WAIT_S (300) is the longest wait for pods.
"""

import os
import sys
from pathlib import Path

from release import commands
from release.checkout import Checkout
from release.cluster import ClusterError
from release.comparison import DiffersError, NotComparedError
from release.images import ImageError
from release.session import Session
from release.state import StateError
from release.transitions import TransitionError
from tidegate_serving.model_source import ModelSourceError

REFUSED = (ModelSourceError, NotComparedError, StateError, TransitionError)
"""Nothing was done."""

FAILED = (ClusterError, DiffersError, ImageError)

INTERRUPTED = 130
"""The shell's own code for Ctrl-C."""

VERBS = {
    "deploy": commands.deploy,
    "release": commands.release,
    "canary": commands.canary,
    "promote": commands.promote,
    "rollback": commands.roll_back,
    "registry": commands.registry,
}


def main() -> int:
    """Run a verb; exit code 2 when it was refused, 1 when it failed, 130 after Ctrl-C."""
    root = Path(__file__).resolve().parents[2]
    if len(sys.argv) != 2 or sys.argv[1] not in VERBS:  # noqa: PLR2004 the verb alone
        sys.stderr.write(f"usage: k8s/release.sh {'|'.join(VERBS)}\n")
        return 2
    try:
        with Session(Checkout(root, os.environ.get("OWN", "")), dict(os.environ)) as session:
            VERBS[sys.argv[1]](session)
    except REFUSED as error:
        sys.stderr.write(f"\ntidegate: {error}\n")
        return 2
    except FAILED as error:
        sys.stderr.write(f"\ntidegate: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. release.yaml says what was meant; the same command again goes on from there.\n")
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
