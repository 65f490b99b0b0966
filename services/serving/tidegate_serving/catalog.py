"""The models that are served: each with its versions, where they stand, and who uses them."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tidegate_proto.model_status_pb2 import ModelVersionStatus
from tidegate_proto.prediction_pb2 import ModelSpec
from tidegate_proto.server_config_pb2 import ModelConfig
from tidegate_serving.errors import FailedPrecondition, InvalidArgument, NotFound
from tidegate_serving.savedmodel import SavedModel
from tidegate_serving.versions import Contents

State = ModelVersionStatus.State

ENDED_VERSIONS = 20
"""How many versions of a model that are gone its status still tells of."""


@dataclass(slots=True)
class Version:
    """One version of a model.

    Attributes:
        number: Its number.
        state: Where it stands.
        model: The loaded model while it is AVAILABLE.
        problem: Code and text of why it could not be loaded; its status has them while it is END.
        contents: The folder that was loaded, or could not be.
        attempts: How often that was tried.
        retry_at: Monotonic seconds of the next try.
        calls: Calls that use it now.
    """

    number: int
    state: State = State.START
    model: SavedModel | None = None
    problem: tuple[int, str] | None = None
    contents: Contents | None = None
    attempts: int = 0
    retry_at: float = 0.0
    calls: int = 0


@dataclass(slots=True)
class Servable:
    """One model: what was asked for, None when it is no longer, and the versions there are."""

    config: ModelConfig | None
    versions: dict[int, Version] = field(default_factory=dict)

    def available(self) -> list[Version]:
        """Return the versions that can be used."""
        return [version for version in self.versions.values() if version.model is not None]


class Catalog:
    """All models of a server, for any thread.

    Args:
        labels_ahead: Whether a label may name a version that is not available yet; one that moves may not.
        labels_free: Whether even that may.
    """

    def __init__(self, *, labels_ahead: bool = False, labels_free: bool = False) -> None:
        self._servables: dict[str, Servable] = {}
        self._labels: Mapping[str, Mapping[str, int]] = {}
        self._labels_ahead = labels_ahead
        self._labels_free = labels_free
        self._lock = threading.RLock()

    def configure(self, configs: Sequence[ModelConfig]) -> None:
        """Replace what is asked for, and the labels. Nothing is loaded or unloaded here.

        Raises:
            FailedPrecondition: A label of a version that is not available; TF Serving's words. All is as before.
        """
        with self._lock:
            self._labels = {config.name: self._checked_labels(config) for config in configs}
            asked = {config.name: config for config in configs}
            for name in asked.keys() | self._servables.keys():
                self._servables.setdefault(name, Servable(None)).config = asked.get(name)

    def configs(self) -> list[ModelConfig]:
        """Return what is asked for."""
        with self._lock:
            return [servable.config for servable in self._servables.values() if servable.config is not None]

    def knows(self, name: str) -> bool:
        """Whether a model of that name is or was asked for."""
        return name in self._servables

    def servables(self) -> list[Servable]:
        """Return the models there are, those that are to go among them."""
        with self._lock:
            return list(self._servables.values())

    @contextmanager
    def use(self, spec: ModelSpec) -> Iterator[tuple[int, SavedModel]]:
        """Hold the version that a request names while it is used; it is not unloaded meanwhile.

        Raises:
            InvalidArgument: No model named, or an unknown label.
            NotFound: The model or version is not there or not available; TF Serving's words.
        """
        with self._lock:
            version = self._resolve(spec)
            model = version.model
            assert model is not None  # noqa: S101 _resolve gives available ones
            version.calls += 1
        try:
            yield version.number, model
        finally:
            with self._lock:
                version.calls -= 1
                last = version.state is State.UNLOADING and version.calls == 0
            if last:
                self._end(version, model)

    def statuses(self, spec: ModelSpec) -> list[ModelVersionStatus]:
        """Return where the versions of a model stand, the newest first, or the one named by its number.

        A label does not choose here. Source: tensorflow_serving/model_servers/get_model_status_impl.cc.

        Raises:
            NotFound: The model or version is not known; TF Serving's words, which differ from those of `use`.
        """
        with self._lock:
            servable = self._servables.get(spec.name, Servable(None))
            number = spec.version.value if spec.HasField("version") else None
            known = servable.versions.keys()
            numbers = sorted(known if number is None else {number} & known, reverse=True)
            if not numbers:
                wanted = "any versions" if number is None else f"version {number}"
                raise NotFound(f"Could not find {wanted} of model {spec.name}")
            return [_status(servable.versions[known]) for known in numbers]

    def unavailable(self, names: Iterable[str] | None = None) -> list[str]:
        """Say of each model that is asked for and has no available version why; of some, where they are named."""
        with self._lock:
            return [
                f"{servable.config.name}: {_why(servable)}"
                for servable in self._servables.values()
                if servable.config is not None
                and (names is None or servable.config.name in names)
                and not servable.available()
            ]

    def expect(self, servable: Servable, version: Version) -> None:
        """Tell of a version whose folder is still being written."""
        with self._lock:
            servable.versions[version.number] = version

    def begin(self, servable: Servable, version: Version) -> None:
        """Tell of a version that is being loaded."""
        with self._lock:
            version.state = State.LOADING
            servable.versions[version.number] = version

    def offer(self, version: Version, model: SavedModel) -> None:
        """Give a loaded version to requests from now on."""
        with self._lock:
            version.model, version.state, version.problem = model, State.AVAILABLE, None

    def fail(self, version: Version, code: int, text: str) -> None:
        """Note why a version could not be loaded. TF Serving says LOADING, and no reason, until its last try."""
        with self._lock:
            version.state, version.problem = State.END, (code, text)

    def withdraw(self, servable: Servable, version: Version) -> None:
        """Take a version from new requests; it is unloaded when the last one that uses it is done."""
        with self._lock:
            model, version.model = version.model, None
            if model is None:
                servable.versions.pop(version.number, None)
                return
            version.state = State.UNLOADING
            unused = version.calls == 0
            ended = sorted(number for number, other in servable.versions.items() if other.state is State.END)
            for number in ended[:-ENDED_VERSIONS]:
                del servable.versions[number]
        if unused:
            self._end(version, model)

    def _end(self, version: Version, model: SavedModel) -> None:
        model.close()
        with self._lock:
            version.state = State.END

    def _checked_labels(self, config: ModelConfig) -> dict[str, int]:
        """Apply TF Serving's rule. Source: ServerCore::UpdateModelVersionLabelMap."""
        servable = self._servables.get(config.name, Servable(None))
        available = {version.number for version in servable.available()}
        now = self._labels.get(config.name, {})
        for label, number in config.version_labels.items():
            new = now.get(label, number) == number
            allowed = self._labels_free or (self._labels_ahead and new)
            if number not in available and not allowed:
                raise FailedPrecondition(
                    f"Request to assign label to version {number} of model {config.name}, which is not currently "
                    "available for inference"
                )
        return dict(config.version_labels)

    def _number(self, spec: ModelSpec) -> int | None:
        """Return the version that a request names, None where it leaves the choice."""
        match spec.WhichOneof("version_choice"):
            case "version":
                return spec.version.value
            case "version_label":
                labels = self._labels.get(spec.name, {})
                if spec.version_label not in labels:
                    raise InvalidArgument(f"Unrecognized servable version label: {spec.version_label}")
                return labels[spec.version_label]
            case _:
                return None

    def _resolve(self, spec: ModelSpec) -> Version:
        if not spec.name:
            raise InvalidArgument("ModelSpec has no name specified.")
        number = self._number(spec)
        servable = self._servables.get(spec.name, Servable(None))
        matching = [version for version in servable.available() if number in {None, version.number}]
        if not matching:
            asked = f"Latest({spec.name})" if number is None else f"Specific({spec.name}, {number})"
            raise NotFound(f"Servable not found for request: {asked}")
        return max(matching, key=lambda version: version.number)


def _status(version: Version) -> ModelVersionStatus:
    status = ModelVersionStatus(version=version.number, state=version.state)
    if version.problem and version.state is State.END:
        status.status.error_code, status.status.error_message = version.problem
    else:
        status.status.SetInParent()
    return status


def _why(servable: Servable) -> str:
    assert servable.config is not None  # noqa: S101 only such are asked
    base_path = servable.config.base_path
    for version in reversed(servable.versions.values()):
        if version.problem:
            return version.problem[1]
        if version.state is State.START:
            return f"{base_path}/{version.number}: still being written"
    return f"no version in {base_path}: expected sub-folders named 1, 2, … with a SavedModel each"
