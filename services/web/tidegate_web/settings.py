"""The gateway's settings: one table, read once from `TIDEGATE_*` at start.

`python -m tidegate_web.settings` prints the table that docs/reference/settings.md holds.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

PREFIX = "TIDEGATE_"

LAST_PORT = 65535

SERVICE_LINK = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")
"""Variables that Kubernetes makes for a Service such as tidegate-web, unless a pod has `enableServiceLinks: false`."""


class SettingsError(Exception):
    """A setting that cannot be used; the text names it, what was expected and what came."""


def _setting(
    default: Any,  # noqa: ANN401 as dataclasses.field
    doc: str,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Any:  # noqa: ANN401 the same
    return field(default=default, metadata={"doc": doc, "range": (at_least, at_most)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator may choose. Each field is read from TIDEGATE_ and its name in capitals."""

    backends: str = _setting(
        "static:127.0.0.1:8500",
        "Where the model servers are: `static:host:port,…`, `dns:host:port` or `endpointslice:SERVICE:PORT`",
    )
    models: str = _setting(
        "and_gate", "Models that the form and `/docs` offer, separated by commas; the first is shown when none is named"
    )
    cards_dir: str = _setting(
        "", "Folder of `NAME.json`, each a model's `tidegate.json`: titles, class names, examples"
    )
    routes_file: str = _setting("", "YAML file of canary weights, `model: {label: weight}`; read again when it changes")
    client_id_header: str = _setting(
        "X-Client-ID", "Request header by which a client stays with its label; the request's id without it"
    )
    web_service: str = _setting(
        "tidegate-web",
        "Kubernetes Service of the gateways themselves, whose pods `/status` shows; `-` for none",
    )
    host: str = _setting("0.0.0.0", "Address that both ports listen on")  # noqa: S104 a pod serves its network
    http_port: int = _setting(8080, "Port of the form and the API", 0, LAST_PORT)
    ops_port: int = _setting(8081, "Port of metrics, health and status", 0, LAST_PORT)
    request_timeout_s: float = _setting(
        10.0, "Longest time for one request; `X-Request-Timeout` may ask for less", 0.001
    )
    drain_s: float = _setting(5.0, "How long connections are still accepted after SIGTERM, while others learn of it", 0)
    max_inflight: int = _setting(256, "Predictions worked on at once", at_least=1)
    inflight_per_backend: bool = _setting(
        default=False, doc="Whether `TIDEGATE_MAX_INFLIGHT` is for each model server in use: it grows with their number"
    )
    max_queue: int = _setting(1024, "Predictions that may wait for their turn; past it 429", at_least=0)
    max_batch_rows: int = _setting(
        64, "Most rows that go to a model server as one call; 1 sends every request alone", 1
    )
    calls_per_backend: int = _setting(
        1, "Calls of one kind in flight to each model server while others wait to be joined into the next", at_least=1
    )
    max_connections: int = _setting(4096, "Client connections open at once on each port; past it 429", at_least=1)
    max_body_mb: float = _setting(
        8.0, "Largest request body, in MiB; JSON takes up to twenty times that to read", 0.001
    )
    max_bodies_mb: float = _setting(32.0, "Bodies that may be in hand together, in MiB; past it 429", at_least=0.001)
    connection_max_age_s: float = _setting(
        30.0,
        "Age (±20 %) at which client connections are closed, so that new replicas get work; 0 for never",
        at_least=0,
    )
    tokens_file: str = _setting(
        "", "File of bearer tokens, one a line, read again when it changes; without it anybody may ask"
    )
    tls_cert_file: str = _setting(
        "", "PEM certificate chain of the HTTP port, read again when it changes; without it no TLS"
    )
    tls_key_file: str = _setting("", "PEM key of the certificate, without a password")
    cors_origins: str = _setting(
        "", "Origins whose pages may call the API, separated by commas, or `*`; none by default"
    )
    expose_route: bool = _setting(default=False, doc="Whether answers name pod, backend and a sequence number")
    access_log_share: float = _setting(
        0.0, "Share of requests with a log line, 0 to 1; failures have one too, at most 50 a second", 0, 1
    )
    pod_name: str = _setting("", "Name of this replica in `Tidegate-Pod`; the host's name by default")

    @property
    def model_names(self) -> tuple[str, ...]:
        """The models that are offered, the default first."""
        return tuple(name.strip() for name in self.models.split(",") if name.strip())

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Read every setting that is given.

        Raises:
            SettingsError: A value of the wrong type or out of range, or a TIDEGATE_ name that is no setting.
        """
        known = {f"{PREFIX}{spec.name.upper()}": spec for spec in fields(cls)}
        unknown = sorted(
            name
            for name in environ
            if name.startswith(PREFIX) and name not in known and not SERVICE_LINK.fullmatch(name)
        )
        if unknown:
            raise SettingsError(f"{unknown[0]} is no setting; there are {', '.join(known)}")
        given: dict[str, Any] = {
            spec.name: _parse(name, environ[name], spec.type, *spec.metadata["range"])
            for name, spec in known.items()
            if environ.get(name)
        }
        settings = cls(**given)
        if not settings.model_names:
            raise SettingsError(f"{PREFIX}MODELS: expected names separated by commas, came {settings.models!r}")
        return settings


_SWITCH = {"1": True, "true": True, "0": False, "false": False}
_EXPECTED = {int: "a whole number", float: "a number"}


def _parse(
    name: str,
    text: str,
    kind: Any,  # noqa: ANN401 a field's type
    at_least: float | None,
    at_most: float | None,
) -> str | float | bool:
    if kind is str:
        return text
    if kind is bool:
        if text.lower() not in _SWITCH:
            raise SettingsError(f"{name}: expected 1 or 0, came {text!r}")
        return _SWITCH[text.lower()]
    try:
        value: float = kind(text)
    except ValueError:
        raise SettingsError(f"{name}: expected {_EXPECTED[kind]}, came {text!r}") from None
    if at_least is not None and not at_least <= value < float("inf"):
        raise SettingsError(f"{name}: expected {_EXPECTED[kind]} from {at_least:g}, came {text!r}")
    if at_most is not None and value > at_most:
        raise SettingsError(f"{name}: expected {_EXPECTED[kind]} up to {at_most:g}, came {text!r}")
    return value


def table() -> str:
    """Write the settings as a Markdown table."""
    rows = ["| setting | default | what it does |", "|---|---|---|"]
    for spec in fields(Settings):
        default = "" if spec.default is MISSING else spec.default
        shown = {True: "1", False: "0"}[default] if isinstance(default, bool) else str(default)
        rows.append(f"| `{PREFIX}{spec.name.upper()}` | {f'`{shown}`' if shown else ''} | {spec.metadata['doc']} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
