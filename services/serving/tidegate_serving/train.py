"""`python -m tidegate_serving.train MODEL … --to FOLDER`: train models and export each as FOLDER/MODEL/1.

MODEL is and_gate, digits, work, or all of them.
"""

import argparse
import importlib
import sys
from collections.abc import Mapping
from pathlib import Path

from tidegate_serving.quiet import quieten

MODELS = ("and_gate", "digits", "work")
"""The models there are; each is a module with `train`."""


def main(arguments: list[str] | None = None) -> int:
    """Train and export what has not been; exit code 1 when a model is not fit to export."""
    parser = argparse.ArgumentParser(prog="python -m tidegate_serving.train", description=__doc__)
    parser.add_argument("model", nargs="+", choices=[*MODELS, "all"])
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="the folder of models")
    parser.add_argument("--version", type=int, default=1, help="the version's number (default 1)")
    parser.add_argument("--force", action="store_true", help="replace the version if it is there")
    chosen = parser.parse_args(arguments)
    if chosen.version < 1:
        parser.error(f"--version: expected a number from 1, came {chosen.version}")
    missing: dict[str, Path] = {}
    for name in MODELS if "all" in chosen.model else chosen.model:
        folder: Path = chosen.to / name / str(chosen.version)
        if (folder / "saved_model.pb").exists() and not chosen.force:
            print(f"{folder} is there already (--force replaces it)")
        else:
            missing[name] = folder
    try:
        train(missing)
    except (OSError, RuntimeError) as error:
        sys.stderr.write(f"{parser.prog}: {error}\n")
        return 1
    return 0


def train(missing: Mapping[str, Path]) -> None:
    """Train models and export each to its folder.

    Raises:
        RuntimeError: A model is not fit to export.
        OSError: A folder cannot be written.
    """
    if missing:
        print(f"Training {' and '.join(missing)} …", flush=True)
        quieten()
        from tidegate_serving.export import export  # noqa: PLC0415 TensorFlow takes seconds to import
    for name, folder in missing.items():
        export(importlib.import_module(f"tidegate_serving.{name}").train(), folder)
        print(f"Wrote {folder}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
