"""What CI has and a reader of the tests may not have."""

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest


def lacking(reason: str) -> NoReturn:
    """Skip the test, or in CI fail it: there nothing is to be missing."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def tool(name: str, how: str = "") -> str:
    """Find a tool, also beside the interpreter; the test is `lacking` without it. `how` tells how to get it."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        lacking(f"{name} is not installed" + (f": {how}" if how else ""))
    return found
