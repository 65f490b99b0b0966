"""`tidegate-model-server`: a model server for TF Serving's API."""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter

from tidegate_serving.quiet import quieten
from tidegate_serving.settings import read

log = logging.getLogger(__name__)


def main() -> int:
    """Run until told to stop; exit code 2 for wrong flags, 1 when it cannot start."""
    settings = read()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            "{asctime}{levelname}{name}{message}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            json_ensure_ascii=False,
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    if settings.ignored:
        log.warning("accepted and not honoured: %s", ", ".join(f"--{name}" for name in settings.ignored))
    log.info("starting TensorFlow")
    quieten()
    from tidegate_serving.server import StartError, serve  # noqa: PLC0415 TensorFlow takes seconds to import

    try:
        serve(settings)
    except StartError as error:
        sys.stderr.write(f"tidegate-model-server: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
