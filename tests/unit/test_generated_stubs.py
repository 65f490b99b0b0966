"""The generated messages are what the generator writes."""

import os
import subprocess
import sys
from pathlib import Path

PROTO = Path(__file__).resolve().parents[2] / "proto"


def test_regenerating_changes_nothing(tmp_path):
    subprocess.run(
        [PROTO / "generate.sh", tmp_path], env=os.environ | {"PYTHON": sys.executable}, check=True, timeout=60
    )
    written = {path.name: path.read_text() for path in (tmp_path / "tidegate_proto").iterdir()}
    committed = {path.name: path.read_text() for path in (PROTO / "tidegate_proto").glob("*_pb2.py*")}
    assert len(written) == 18
    assert written == committed
