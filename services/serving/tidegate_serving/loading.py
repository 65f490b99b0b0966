"""Keeps a Catalog as configuration and folders say: loads what is new, then unloads what is no longer wanted."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import grpc

from tidegate_proto.server_config_pb2 import ModelConfig
from tidegate_serving import model_config, versions
from tidegate_serving.catalog import Catalog, Servable, State, Version
from tidegate_serving.errors import Unknown
from tidegate_serving.savedmodel import LoadError, SavedModel

log = logging.getLogger(__name__)

Load = Callable[[Path], SavedModel]
"""Makes a model of a version's folder, ready for requests; raises LoadError."""


class Loader:
    """Loads and unloads, one thing at a time, for any thread.

    Args:
        catalog: What is kept.
        load: Makes a model of a folder.
        retries: Tries after the first to load a version. One whose folder changes is tried anew.
        retry_s: Seconds between them.
        always_present: Whether a model stays when the folders of all its versions go.
    """

    def __init__(
        self, catalog: Catalog, load: Load, retries: int = 5, retry_s: float = 60.0, *, always_present: bool = False
    ) -> None:
        self._catalog = catalog
        self._load = load
        self._retries = retries
        self._retry_s = retry_s
        self._always_present = always_present
        self._busy = threading.Lock()

    def refresh(self) -> None:
        """Look at the folders, and load and unload what they and the configuration ask for."""
        with self._busy:
            for servable in self._catalog.servables():
                self._refresh(servable)

    def given_up(self) -> list[str]:
        """Say why of each model that is asked for, has no available version, and none that is to be tried again."""
        with self._busy:
            return self._catalog.unavailable(
                {
                    servable.config.name
                    for servable in self._catalog.servables()
                    if servable.config is not None
                    and servable.versions
                    and all(
                        version.problem is not None and version.attempts > self._retries
                        for version in servable.versions.values()
                    )
                }
            )

    def reload(self, configs: Sequence[ModelConfig]) -> None:
        """Serve another list of models: the new ones are available at the end.

        Raises:
            InvalidArgument: The list cannot be served; all is as before.
            FailedPrecondition: A label of a version that is not available; all is as before.
            Unknown: A new model could not be loaded; the others are served.
        """
        served = self._catalog.configs()
        model_config.check(configs, served)
        self._catalog.configure(configs)
        added = {config.name for config in configs} - {config.name for config in served}
        deadline = time.monotonic() + 2 * versions.SETTLED_S
        self.refresh()
        while (missing := self._catalog.unavailable(added)) and time.monotonic() < deadline:
            time.sleep(0.05)  # a folder that has just been written may still be being written
            self.refresh()
        if missing:
            raise Unknown(f"{len(missing)} model(s) did not become available: {{{', '.join(missing)}}}")

    def close(self) -> None:
        """Unload everything."""
        with self._busy:
            for servable in self._catalog.servables():
                for version in servable.available():
                    self._catalog.withdraw(servable, version)

    def _refresh(self, servable: Servable) -> None:
        config = servable.config
        if config is None:
            self._unload(servable, servable.available())
            return
        base_path = Path(config.base_path)
        if not base_path.is_dir():  # it may come back: TF Serving leaves all as it is, too
            return
        folders = versions.present(base_path)
        wanted = versions.wanted(set(folders), config.model_version_policy)
        for number in sorted(wanted, reverse=True):
            self._load_version(servable, config.name, number, folders[number])
        available = {version.number for version in servable.available()}
        # An old version stays until all that is wanted can take its place; where nothing is, as the flag says
        if wanted <= available if wanted else not self._always_present:
            self._unload(servable, [version for version in servable.available() if version.number not in wanted])

    def _load_version(self, servable: Servable, name: str, number: int, folder: Path) -> None:
        version = servable.versions.get(number)
        if version is not None and (version.model is not None or version.state is State.UNLOADING):
            return
        contents = versions.contents(folder)
        if not contents.settled(time.time()):
            self._catalog.expect(servable, Version(number))
            return
        if version is None or version.problem is None or version.contents != contents:
            version = Version(number, contents=contents)
        elif version.attempts > self._retries or time.monotonic() < version.retry_at:
            return
        self._catalog.begin(servable, version)
        try:
            model = self._load(folder)
        except LoadError as error:
            log.exception("model not loaded", extra={"model": name, "version": number})
            version.attempts += 1
            version.retry_at = time.monotonic() + self._retry_s
            code = error.code or grpc.StatusCode.UNKNOWN.value[0]
            self._catalog.fail(version, code, str(error))
            return
        self._catalog.offer(version, model)
        log.info("model available", extra={"model": name, "version": number})

    def _unload(self, servable: Servable, gone: Sequence[Version]) -> None:
        for version in gone:
            self._catalog.withdraw(servable, version)
            log.info("model unloaded", extra={"version": version.number})
