"""What the model server's log says while models are missing, and of a port that REST cannot have."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest

from tidegate_proto.server_config_pb2 import ModelConfig
from tidegate_serving.catalog import Catalog
from tidegate_serving.in_process import InProcessPredictor
from tidegate_serving.loading import Loader
from tidegate_serving.metrics import RequestMetrics
from tidegate_serving.savedmodel import LoadError, SavedModel
from tidegate_serving.server import StartError, _load, _serve_rest
from tidegate_serving.servicer import Servicer
from tidegate_serving.settings import read


def broken(folder: Path) -> SavedModel:
    raise LoadError(f"{folder}: broken")


class Steps(threading.Event):
    """Does one thing at each wait, and is set after the last."""

    def __init__(self, steps: Sequence[Callable[[], object]]) -> None:
        super().__init__()
        self._steps = list(steps)

    def wait(self, _: float | None = None) -> bool:
        self._steps.pop(0)()
        if not self._steps:
            self.set()
        return self.is_set()


def test_why_it_waits_is_logged_when_that_changes_and_not_at_every_look(tmp_path, caplog):
    catalog = Catalog()
    catalog.configure([ModelConfig(name="gate", base_path=str(tmp_path))])
    loader = Loader(catalog, broken)
    stop = Steps([lambda: None, lambda: None, (tmp_path / "1").mkdir, lambda: None, lambda: None])
    assert not _load(catalog, loader, 60.0, stop)
    waits = [vars(record)["missing"] for record in caplog.records if record.getMessage() == "waiting for models"]
    assert [reason.partition(": ")[2][:10] for (reason,) in waits] == ["no version", f"{tmp_path}/1"[:10]]


def test_a_model_that_is_tried_no_more_ends_the_wait(tmp_path):
    for number in ("good/1", "bad/1"):
        (tmp_path / number).mkdir(parents=True)
    catalog = Catalog()
    catalog.configure([ModelConfig(name=name, base_path=str(tmp_path / name)) for name in ("good", "bad")])
    tried = []

    def load(folder: Path) -> SavedModel:
        tried.append(folder.parent.name)
        return cast("SavedModel", object()) if folder.parent.name == "good" else broken(folder)

    with pytest.raises(StartError, match=r"UNKNOWN: 1 servable\(s\) did not become available: \{bad: .*broken\}$"):
        _load(catalog, Loader(catalog, load, 1, 0.0), 60.0, threading.Event())
    assert sorted(tried) == ["bad", "bad", "good"]


def test_rest_on_grpcs_port_is_left_out_and_said(caplog):
    settings = read(["--port=8500", "--rest_api_port=8500", "--model_base_path=/models"])
    metrics = RequestMetrics(lambda _: False)
    with ThreadPoolExecutor(1) as threads, ExitStack() as opened:
        predictor = InProcessPredictor(Servicer(Catalog(), metrics), threads)
        _serve_rest(settings, predictor, metrics, opened)
    assert "--rest_api_port is --port: there is no REST" in caplog.text
