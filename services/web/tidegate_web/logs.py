"""Log lines as JSON objects, one a line, on standard error."""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter


def set_up() -> None:
    """Send every record to standard error as JSON, with whatever `extra` it carries."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            "{asctime}{levelname}{name}{message}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
