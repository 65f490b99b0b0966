"""What `LOADTEST_*` says, read once and checked. Standard library only.

The table in README.md lists them all; a test holds it against `NAMES`.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar, cast
from urllib.parse import urlsplit

from arrivals import PROCESSES, SHAPES, ArrivalError, Process, rates, trace_seconds
from scenarios import SCENARIOS, TRACES, Scenario

PREFIX = "LOADTEST_"
NAMES = (
    *("HOST", "GRPC_HOST", "MODEL", "CARDS", "ITERATIONS", "SEED", "SLO_MS"),
    *("SHAPE", "ARRIVALS", "USERS", "PEAK_RPS", "BASE_RPS", "DURATION_S", "PERIOD_S", "TRACE", "TIME_SCALE"),
    *("SCENARIO", "KNEE_RPS"),
)

_HOW_MUCH = ("SHAPE", "ARRIVALS", "SCENARIO")
NEEDS = {
    **dict.fromkeys(("USERS", "DURATION_S", "PERIOD_S"), _HOW_MUCH),
    **dict.fromkeys(("PEAK_RPS", "BASE_RPS"), ("ARRIVALS",)),
    **dict.fromkeys(("TRACE", "TIME_SCALE"), ("SHAPE", "SCENARIO")),
    "KNEE_RPS": ("SCENARIO",),
}
"""Settings that say nothing unless one of others is there; alone they are refused, not passed over."""

USERS = 20
POOL = 200
"""Users of an open loop: enough for this many requests at a time."""

PERIOD_S = 60
PERIODS = 3
PEAK_RPS = 100.0
BASE_SHARE = 0.1
"""The bottom of a shape, as a share of its top, unless told otherwise."""

HOST = "http://… or https://…, with a port up to 65535 where it has one"

Value = TypeVar("Value")


class SettingsError(Exception):
    """A setting that cannot be; the text names it, what was expected and what came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A course of load.

    Attributes:
        shape: A name in `arrivals.SHAPES`.
        process: How requests arrive in an open loop; None for a closed loop, in which users come and go.
        users: In an open loop, how many there are to send; in a closed one, how many at the top of the shape.
        rates: The load in each second: expected requests, or users.
    """

    shape: str
    process: Process | None
    users: int
    rates: tuple[float, ...]

    @property
    def duration_s(self) -> int:
        """Seconds from the first to the last arrival."""
        return len(self.rates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the environment says.

    Attributes:
        host: Of the gateways, `http://…`.
        grpc_host: Of a model server, host:port, for users that ask it directly.
        model: What is asked.
        cards: The folder of the model's card; None for those of a checkout.
        iterations: Of each row where the model is `work`; None for a mix.
        rows: Of each request; 0 for a mix. `--rows` overrides it.
        seed: Of rows and arrivals; None for other rows each time.
        slo_ms: An answer that takes longer is too late.
        load: None where Locust's own -u, -r and -t say how much.
    """

    host: str
    grpc_host: str
    model: str
    cards: str | None
    iterations: int | None
    rows: int
    seed: int | None
    slo_ms: float
    load: Load | None


def is_host(text: str) -> bool:
    """Whether requests can go there."""
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and parts.port != 0
            and not re.search(r"\s", text)
        )
    except ValueError:  # a port that is none
        return False


def read(environment: Mapping[str, str]) -> Settings:
    """Read the settings; an empty one counts as absent.

    Raises:
        SettingsError: One cannot be, or has a name that none has.
    """
    given = {name.removeprefix(PREFIX): text for name, text in environment.items() if name.startswith(PREFIX) and text}
    for name in given:
        if name not in NAMES:
            near = get_close_matches(name, NAMES, 1, cutoff=0) or NAMES
            raise SettingsError(f"{PREFIX}{name}: there is no such setting; did you mean {PREFIX}{near[0]}?")
    source = _Source(given)
    scenario = source.one_of("SCENARIO", SCENARIOS)
    return Settings(
        host=source.host("HOST", "http://127.0.0.1:8080"),
        grpc_host=source.like("GRPC_HOST", r"[^/\s]+:\d+", "host:port", "127.0.0.1:8500"),
        model=given.get("MODEL", scenario.model if scenario else "and_gate"),
        cards=source.folder("CARDS"),
        iterations=source.whole("ITERATIONS", scenario.work_iterations if scenario else None, least=0),
        rows=scenario.rows if scenario else 0,
        seed=source.whole("SEED", None, least=0),
        slo_ms=source.number("SLO_MS", 200.0),
        load=source.load(scenario),
    )


class _Source:
    """Values by name; what is no such value is refused."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given

    def one_of(self, name: str, choices: Mapping[str, Value]) -> Value | None:
        return self._read(name, choices.__getitem__, f"one of {', '.join(choices)}", None)

    def whole(self, name: str, default: int | None, least: int = 1) -> int | None:
        def parse(text: str) -> int:
            if (number := int(text)) < least:
                raise ValueError
            return number

        return self._read(name, parse, f"a whole number from {least}", default)

    def number(self, name: str, default: float) -> float:
        def parse(text: str) -> float:
            if not 0 < (number := float(text)) < math.inf:
                raise ValueError
            return number

        return cast("float", self._read(name, parse, "a number above 0", default))

    def like(self, name: str, pattern: str, expected: str, default: str) -> str:
        def parse(text: str) -> str:
            if not re.fullmatch(pattern, text):
                raise ValueError
            return text

        return cast("str", self._read(name, parse, expected, default))

    def host(self, name: str, default: str) -> str:
        def parse(text: str) -> str:
            if not is_host(text):
                raise ValueError
            return text

        return cast("str", self._read(name, parse, HOST, default))

    def folder(self, name: str) -> str | None:
        def parse(text: str) -> str:
            if not Path(text).is_dir():
                raise ValueError
            return text

        return self._read(name, parse, "a folder that is there", None)

    def _read(self, name: str, parse: Callable[[str], Value], expected: str, default: Value | None) -> Value | None:
        if name not in self._given:
            return default
        try:
            return parse(self._given[name])
        except (ValueError, KeyError):
            raise SettingsError(f"{PREFIX}{name}={self._given[name]}: expected {expected}") from None

    def load(self, scenario: Scenario | None) -> Load | None:
        """Read how much load there is; None where nothing says so."""
        for name, others in NEEDS.items():
            if name in self._given and not any(other in self._given for other in others):
                needed = " or ".join(PREFIX + other for other in others)
                raise SettingsError(f"{PREFIX}{name}={self._given[name]}: expected {needed} too, came none")
        self._refuse_both("SCENARIO", "SHAPE")
        self._refuse_both("SCENARIO", "PEAK_RPS")
        process = self.one_of("ARRIVALS", {name: name for name in PROCESSES})
        if scenario and process is None:
            process = scenario.process
        self.one_of("SHAPE", SHAPES)
        shape = scenario.shape if scenario else self._given.get("SHAPE", "constant" if process else None)
        if shape is None:
            return None
        users = cast("int", self.whole("USERS", POOL if process else USERS))
        base, peak = self._levels(scenario, shape, None if process else users)
        trace, scale = self._trace(scenario, shape)
        period = self.whole("PERIOD_S", scenario.period_s if scenario else self._period(shape))
        duration = self._duration(scenario, trace, scale, period)
        try:
            found = rates(
                shape, base=base, peak=peak, duration_s=duration, period_s=period, trace=trace, time_scale=scale
            )
        except ArrivalError as error:
            raise SettingsError(f"{PREFIX}{'SCENARIO' if scenario else 'SHAPE'}: {error}") from None
        return Load(shape=shape, process=process, users=users, rates=tuple(found))

    def _levels(self, scenario: Scenario | None, shape: str, users: int | None) -> tuple[float, float]:
        """Return the bottom and the top of the shape: requests a second, or users where their number is given."""
        if users is not None:
            return (users if shape == "constant" else users * BASE_SHARE), users
        if scenario:
            if "KNEE_RPS" not in self._given:
                raise SettingsError(
                    f"{PREFIX}SCENARIO={scenario.name}: expected {PREFIX}KNEE_RPS too, the requests a second that one "
                    "replica answers within the SLO (tidegate-proof knee measures it), came none"
                )
            knee = self.number("KNEE_RPS", 0)
            return scenario.base_of_knee * knee, scenario.peak_of_knee * knee
        peak = self.number("PEAK_RPS", PEAK_RPS)
        base = self.number("BASE_RPS", peak * (0 if shape == "trace" else BASE_SHARE)) if shape != "constant" else peak
        if base > peak:
            raise SettingsError(f"{PREFIX}BASE_RPS={base:g}: expected no more than {PREFIX}PEAK_RPS, {peak:g}")
        return base, peak

    def _trace(self, scenario: Scenario | None, shape: str) -> tuple[Path | None, float]:
        scale = self.number("TIME_SCALE", scenario.time_scale if scenario else 1.0)
        if scenario:
            return scenario.trace_path, scale
        if shape != "trace":
            return None, scale
        name = self._given.get("TRACE")
        if name is None:
            raise SettingsError(f"{PREFIX}SHAPE=trace: expected {PREFIX}TRACE too, a CSV, or one of {_samples()}")
        path = next((path for path in (Path(name), TRACES / name) if path.is_file()), None)
        if path is None:
            raise SettingsError(f"{PREFIX}TRACE={name}: expected a file, or one of {_samples()}")
        return path, scale

    def _duration(self, scenario: Scenario | None, trace: Path | None, scale: float, period: int | None) -> int:
        if scenario:
            default = scenario.duration_s
        elif trace:
            try:
                default = int(trace_seconds(trace) / scale)
            except ArrivalError as error:
                raise SettingsError(f"{PREFIX}TRACE: {error}") from None
        else:
            default = PERIODS * (period or PERIOD_S)
        return cast("int", self.whole("DURATION_S", default))

    def _period(self, shape: str) -> int | None:
        return None if shape == "trace" or "DURATION_S" in self._given else PERIOD_S

    def _refuse_both(self, one: str, other: str) -> None:
        if one in self._given and other in self._given:
            raise SettingsError(f"{PREFIX}{one} and {PREFIX}{other}: expected one of them, came both")


def _samples() -> str:
    return ", ".join(sorted(path.name for path in TRACES.glob("*.csv.gz")))
