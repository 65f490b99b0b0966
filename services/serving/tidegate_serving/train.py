"""`python -m tidegate_serving.train and_gate --to FOLDER`: train a model and export it as FOLDER/and_gate/1."""

import argparse
import sys
from pathlib import Path

from tidegate_serving.quiet import quieten


def main(arguments: list[str] | None = None) -> int:
    """Train and export, unless it has been done; exit code 1 when the model is not fit to export."""
    parser = argparse.ArgumentParser(prog="python -m tidegate_serving.train", description=__doc__)
    parser.add_argument("model", choices=["and_gate"])
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="the folder of models")
    parser.add_argument("--version", type=int, default=1, help="the version's number (default 1)")
    parser.add_argument("--force", action="store_true", help="replace the version if it is there")
    chosen = parser.parse_args(arguments)
    if chosen.version < 1:
        parser.error(f"--version: expected a number from 1, came {chosen.version}")
    folder: Path = chosen.to / chosen.model / str(chosen.version)
    if (folder / "saved_model.pb").exists() and not chosen.force:
        print(f"{folder} is there already (--force replaces it)")
        return 0
    print(f"Training {chosen.model} …", flush=True)
    quieten()
    from tidegate_serving import and_gate  # noqa: PLC0415 TensorFlow takes seconds to import
    from tidegate_serving.export import export  # noqa: PLC0415

    try:
        export(and_gate.train(), folder, and_gate.CARD)
    except (OSError, RuntimeError) as error:
        sys.stderr.write(f"{parser.prog}: {error}\n")
        return 1
    print(f"Wrote {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
