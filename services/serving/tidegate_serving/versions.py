"""Which versions of a model a folder holds, and which of them are wanted."""

from pathlib import Path

from tidegate_proto.server_config_pb2 import ServableVersionPolicy

INT64_MAX = 2**63 - 1


def present(base_path: Path) -> dict[int, Path]:
    """Return the folder of each version: sub-folders named by a non-negative int64, as TF Serving takes them."""
    if not base_path.is_dir():
        return {}
    return {
        int(folder.name): folder
        for folder in sorted(base_path.iterdir())
        if folder.name.isascii() and folder.name.isdigit() and int(folder.name) <= INT64_MAX and folder.is_dir()
    }


def wanted(versions: set[int], policy: ServableVersionPolicy) -> set[int]:
    """Apply a version policy: the latest one unless it says otherwise."""
    match policy.WhichOneof("policy_choice"):
        case "all":
            return versions
        case "specific":
            return versions & set(policy.specific.versions)
        case _:
            return set(sorted(versions)[-(policy.latest.num_versions or 1) :])
