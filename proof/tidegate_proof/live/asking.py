"""The options that commands on a cluster share, and what they mean."""

import argparse
from pathlib import Path

from tidegate_proof.live.kubectl import Kubectl
from tidegate_proof.live.session import Place
from tidegate_proof.live.sizing import TIERS, Tier


def add_place(parser: argparse.ArgumentParser) -> None:
    """Add where runs take place."""
    option = parser.add_argument
    option("--context", metavar="NAME", help="of your kubeconfig (default: the current one)")
    option("--url", metavar="ADDRESS", help="of the gateway (default: its load balancer or node port); no port-forward")
    option("--manifests", type=Path, default=Path("k8s"), metavar="DIR", help="Tidegate's (default k8s)")
    option("--image", action="append", default=[], type=_image, metavar="TIER=NAME:TAG", help="for serving or web")
    option("--output", type=Path, default=Path("build/proof"), metavar="DIR", help="for records (default build/proof)")
    option("--keep", action="store_true", help="leave the namespace as it is")


def place_of(args: argparse.Namespace) -> Place:
    """Return where runs take place.

    Raises:
        KubectlError: There is no kubectl.
    """
    return Place(kubectl=Kubectl.find(args.context), manifests=args.manifests, url=args.url, keep=args.keep)


def whole(text: str) -> int:
    """Read a whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, came {text}")
    return number


def positive(text: str) -> float:
    """Read a number above 0."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, came {text}")
    return number


def share(text: str) -> float:
    """Read a number between 0 and 1."""
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"expected a share between 0 and 1, came {text}")
    return number


def _image(text: str) -> tuple[Tier, str]:
    tier, _, image = text.partition("=")
    for known in TIERS:
        if tier == known and ":" in image:
            return known, image
    raise argparse.ArgumentTypeError(f"expected serving=NAME:TAG or web=NAME:TAG, came {text}")
