"""The models that are served: each with its versions, their states, and a swap that never leaves a gap."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from tidegate_proto.model_status_pb2 import ModelVersionStatus
from tidegate_proto.prediction_pb2 import ModelSpec
from tidegate_proto.server_config_pb2 import ModelConfig
from tidegate_serving import versions
from tidegate_serving.errors import InvalidArgument, NotFound
from tidegate_serving.savedmodel import LoadError, SavedModel

log = logging.getLogger(__name__)

State = ModelVersionStatus.State

RELOAD_S = 60.0
"""How long a version that could not be loaded is left alone."""

UNLOAD_S = 30.0
"""How long calls of a version that goes may still take."""


@dataclass(slots=True)
class Version:
    """One version of a model.

    Attributes:
        number: Its number.
        state: Where it stands.
        model: The loaded model while it is AVAILABLE.
        problem: Why it could not be loaded.
        retry_at: Monotonic seconds of the next try.
        calls: Calls that use it now.
    """

    number: int
    state: State = State.START
    model: SavedModel | None = None
    problem: str = ""
    retry_at: float = 0.0
    calls: int = 0


@dataclass(slots=True)
class Servable:
    """One model: what was asked for, and the versions there are."""

    config: ModelConfig
    versions: dict[int, Version] = field(default_factory=dict)


class Catalog:
    """All models of a server. Reading is safe from any thread; `refresh` is for one thread.

    Args:
        configs: What to serve.
        load: Makes a SavedModel of a folder.
    """

    def __init__(self, configs: Iterable[ModelConfig], load: Callable[[Path], SavedModel] = SavedModel) -> None:
        self._servables = {config.name: Servable(config) for config in configs}
        self._load = load
        self._changed = threading.Condition()

    @contextmanager
    def use(self, spec: ModelSpec) -> Iterator[tuple[int, SavedModel]]:
        """Hold the version that a request names while it is used; it is not unloaded meanwhile.

        Raises:
            InvalidArgument: No model named, or an unknown label.
            NotFound: The model or version is not there or not available; TF Serving's words.
        """
        with self._changed:
            version = self._resolve(spec)
            version.calls += 1
        try:
            assert version.model is not None  # noqa: S101 _resolve gives available ones
            yield version.number, version.model
        finally:
            with self._changed:
                version.calls -= 1
                self._changed.notify_all()

    def statuses(self, spec: ModelSpec) -> list[ModelVersionStatus]:
        """Return where the versions of a model stand, or the one named.

        Raises:
            InvalidArgument: An unknown label.
            NotFound: The model or version is not known; TF Serving's words, which differ from those of `use`.
        """
        with self._changed:
            servable = self._servables.get(spec.name, Servable(ModelConfig()))
            number = self._number(spec, servable)
            numbers = sorted(servable.versions) if number is None else sorted({number} & servable.versions.keys())
            if not numbers:
                wanted = "any versions" if number is None else f"version {number}"
                raise NotFound(f"Could not find {wanted} of model {spec.name}")
            return [_status(servable.versions[known]) for known in numbers]

    def unavailable(self) -> list[str]:
        """Say of each model that has no available version why."""
        with self._changed:
            return [
                f"{name}: {_why(servable)}"
                for name, servable in self._servables.items()
                if not any(version.model for version in servable.versions.values())
            ]

    def refresh(self) -> None:
        """Look at the folders: load what is new, then unload what is no longer wanted."""
        for servable in self._servables.values():
            folders = versions.present(Path(servable.config.base_path))
            wanted = versions.wanted(set(folders), servable.config.model_version_policy)
            for number in sorted(wanted):
                self._load_version(servable, number, folders[number])
            if all(servable.versions[number].model for number in wanted) and wanted:
                for number in sorted(set(servable.versions) - wanted):
                    self._unload_version(servable, number)

    def close(self) -> None:
        """Unload everything."""
        for servable in self._servables.values():
            for number in list(servable.versions):
                self._unload_version(servable, number)

    def _servable(self, spec: ModelSpec) -> Servable:
        if not spec.name:
            raise InvalidArgument("ModelSpec has no name specified.")
        try:
            return self._servables[spec.name]
        except KeyError:
            raise NotFound(f"Servable not found for request: {_request(spec)}") from None

    def _number(self, spec: ModelSpec, servable: Servable) -> int | None:
        """Return the version that a request names, None where it leaves the choice."""
        match spec.WhichOneof("version_choice"):
            case "version":
                return spec.version.value
            case "version_label":
                labels = servable.config.version_labels
                if spec.version_label not in labels:
                    raise InvalidArgument(f"Unrecognized servable version label: {spec.version_label}")
                return labels[spec.version_label]
            case _:
                return None

    def _resolve(self, spec: ModelSpec) -> Version:
        servable = self._servable(spec)
        number = self._number(spec, servable)
        available = [version for version in servable.versions.values() if version.model is not None]
        matching = [version for version in available if number in {None, version.number}]
        if not matching:
            raise NotFound(f"Servable not found for request: {_request(spec, number)}")
        return max(matching, key=lambda version: version.number)

    def _load_version(self, servable: Servable, number: int, folder: Path) -> None:
        version = servable.versions.get(number)
        if version is not None and (version.model is not None or time.monotonic() < version.retry_at):
            return
        version = Version(number, State.LOADING)
        with self._changed:
            servable.versions[number] = version
        try:
            model = self._load(folder)
        except LoadError as error:
            log.exception("model not loaded", extra={"model": servable.config.name, "version": number})
            with self._changed:
                version.state, version.problem = State.END, str(error)
                version.retry_at = time.monotonic() + RELOAD_S
            return
        with self._changed:
            version.model, version.state = model, State.AVAILABLE
        log.info("model available", extra={"model": servable.config.name, "version": number})

    def _unload_version(self, servable: Servable, number: int) -> None:
        version = servable.versions[number]
        with self._changed:
            model, version.model, version.state = version.model, None, State.UNLOADING
            if not self._changed.wait_for(lambda: version.calls == 0, UNLOAD_S):
                log.warning("unloaded in use", extra={"model": servable.config.name, "version": number})
            del servable.versions[number]
        if model is not None:
            model.close()
            log.info("model unloaded", extra={"model": servable.config.name, "version": number})


def _request(spec: ModelSpec, number: int | None = None) -> str:
    """Name what was asked for as TF Serving does."""
    if number is None and spec.HasField("version"):
        number = spec.version.value
    return f"Latest({spec.name})" if number is None else f"Specific({spec.name}, {number})"


def _status(version: Version) -> ModelVersionStatus:
    status = ModelVersionStatus(version=version.number, state=version.state)
    if version.problem:
        status.status.error_code = grpc.StatusCode.UNKNOWN.value[0]
        status.status.error_message = version.problem
    return status


def _why(servable: Servable) -> str:
    problems = [version.problem for version in servable.versions.values() if version.problem]
    return problems[-1] if problems else (
        f"no version in {servable.config.base_path}: expected sub-folders named 1, 2, … with a SavedModel each"
    )  # fmt: skip
