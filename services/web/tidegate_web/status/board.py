"""A history as the page shows it: figures, pods as blocks, pictures; rendered by templates, as a page or in parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files

import jinja2

from tidegate_web.status import pictures
from tidegate_web.status.history import BackendSample, Event, History, Sample
from tidegate_web.status.pictures import Axes, Line, Mark, Picture
from tidegate_web.status.reading import About

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)

FRESH_S = 15
"""Seconds for which a pod that joined stands out, and one that left stays as an outline."""

SHOWN_EVENTS = 12
SHOWN_PODS = 40
"""More would not be told apart on a screen; the page says how many there are."""

PARTS = ("figures", "pods", "scaling", "pictures", "gateways", "backends", "events")
"""What changes while one looks: a template of that name each, and the id of the element that it fills."""

TIERS = {"serving": "model server", "web": "gateway", "model": "model"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One number in large type."""

    name: str
    value: str
    unit: str
    note: str
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Pod:
    """One block.

    Attributes:
        name: What tells it from its neighbours.
        state: `ready`, `unreachable`, `ejected`, `fresh` or `gone`.
        note: Second line.
        share: Its outstanding calls, as a part of the busiest server's; None where that is not known.
    """

    name: str
    state: str
    note: str = ""
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture with its words; `lines` are name, class and present value."""

    title: str
    unit: str
    picture: Picture
    lines: Sequence[tuple[str, str, str]]
    top: str


class Board:
    """Writes the page.

    Args:
        about: What does not change.
        history: What does.
    """

    def __init__(self, about: About, history: History) -> None:
        self._about = about
        self._history = history
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("tidegate_web.status"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._page = environment.get_template("status.html")
        self._parts = {name: environment.get_template(f"{name}.html") for name in PARTS}
        assets = files("tidegate_web.status").joinpath("assets")
        self.stylesheet = assets.joinpath("status.css").read_bytes()
        self.script = assets.joinpath("status.js").read_bytes()

    def page(self, not_ready: Sequence[str]) -> str:
        """Write all of it. There is at least one sample."""
        return self._page.render(about=self._about, not_ready=not_ready, parts=self.parts(), clock=self.clock())

    def parts(self) -> Mapping[str, str]:
        """Write what changes, by the id of the element that it belongs into."""
        history = self._history
        backends = history.backends
        replicas, *charts = self._charts()
        shown: dict[str, dict[str, object]] = {
            "figures": {"figures": self._figures(history.samples[-1])},
            "pods": self._pods(),
            "scaling": {"chart": replicas},
            "pictures": {"charts": charts},
            "gateways": self._gateways(),
            "backends": {"backends": backends[:SHOWN_PODS], "of": len(backends)},
            "events": {"events": [_told(event) for event in reversed(list(history.events)[-SHOWN_EVENTS:])]},
        }
        return {name: self._parts[name].render(shown[name]) for name in PARTS}

    def clock(self) -> str:
        """Say when the last sample was taken."""
        return _clock(self._history.samples[-1].unix_s)

    def _figures(self, now: Sample) -> list[Figure]:
        limits = self._about.limits
        at_work = limits.at_work(now.serving)
        return [
            Figure("Requests", number(now.rate), "/ s", f"{number(now.inflight)} being answered"),
            Figure("Median latency", *duration(now.p50_ms), "p50 of the last second"),
            Figure("p99 latency", *duration(now.p99_ms), "99 % were faster, last second"),
            Figure(
                "Pending", number(now.pending), "rows", f"{number(now.pending_average)} on average over 15 s",
                bad=now.pending > at_work,
            ),
            Figure(
                "Refused", number(now.refused_rate), "/ s", f"past {at_work} at work, {limits.queue} waiting",
                bad=now.refused_rate > 0,
            ),
            Figure(
                "Failed", number(now.failure_rate), "/ s", f"{number(now.retry_rate)} retried / s",
                bad=now.failure_rate > 0,
            ),
        ]  # fmt: skip

    def _pods(self) -> dict[str, object]:
        history, now = self._history, self._history.samples[-1]
        recent = [event for event in history.events if now.unix_s - event.unix_s < FRESH_S]
        busiest = max((backend.outstanding for backend in history.backends), default=0)
        serving = [_serving_pod(backend, recent, busiest) for backend in history.backends]
        if history.gateways is None:
            web = [Pod(self._about.pod, "ready", "this one")]
        else:
            rates = {peer.address: f"{number(peer.rate)} / s" for peer in history.peers if peer.pod}
            web = [
                Pod(_short(name), _fresh(name, "web", recent) or "ready", rates.get(name, ""))
                for name in sorted(history.gateways)
            ]
        return {
            "web": (web + _gone("web", web, recent))[:SHOWN_PODS],
            "serving": (serving + _gone("serving", serving, recent))[:SHOWN_PODS],
            "web_count": now.web,
            "serving_count": now.serving,
            "calls": number(sum(backend.rate for backend in history.backends)),
        }

    def _gateways(self) -> dict[str, object]:
        answered = [peer for peer in self._history.peers if peer.pod]
        rows = [
            (
                peer.pod,
                number(peer.rate),
                " ".join(duration(peer.p99_ms)),
                number(peer.pending),
                number(peer.failure_rate),
            )
            for peer in sorted(answered, key=lambda peer: peer.pod)
        ]
        total = (
            number(sum(peer.rate for peer in answered)),
            number(sum(peer.pending for peer in answered)),
            number(sum(peer.failure_rate for peer in answered)),
        )
        silent = [peer.address for peer in self._history.peers if not peer.pod]
        return {"rows": rows, "total": total, "silent": silent, "this": self._about.pod}

    def _charts(self) -> list[Chart]:
        samples = list(self._history.samples)
        now = samples[-1]
        at_work = self._about.limits.at_work(now.serving)

        def line(name: str, style: str, field: str, *, stepped: bool = False) -> Line:
            points = [(sample.unix_s, getattr(sample, field)) for sample in samples]
            return Line(name, style, points if stepped else pictures.thin(points), stepped)

        def chart(title: str, unit: str, axes: Axes, *lines: tuple[Line, str]) -> Chart:
            picture = pictures.draw([drawn for drawn, _ in lines], now.unix_s, title, axes)
            named = [(drawn.name, drawn.style, value) for drawn, value in lines]
            return Chart(title, unit, picture, named, number(picture.top))

        def everywhere(field: str, value: float | None) -> list[tuple[Line, str]]:
            """Draw all gateways' sum where there is one: of a lone pod it would say the same twice."""
            return [] if value is None else [(line("all gateways", "all", field), number(value))]

        marks = [
            Mark(event.unix_s, f"{event.tier} {event.kind}", f"{_clock(event.unix_s)} {event.name} {event.kind}")
            for event in self._history.events
        ]
        return [
            chart(
                "Replicas",
                "pods",
                Axes(floor=4, marks=marks),
                (line("model servers", "serving", "serving", stepped=True), str(now.serving)),
                (line("gateways", "web", "web", stepped=True), "unknown" if now.web is None else str(now.web)),
            ),
            chart(
                "Requests",
                "a second",
                Axes(floor=10),
                *everywhere("all_rate", now.all_rate),
                (line("answered", "web", "rate"), number(now.rate)),
                (line("refused", "warn", "refused_rate"), number(now.refused_rate)),
                (line("failed", "bad", "failure_rate"), number(now.failure_rate)),
            ),
            chart(
                "Latency",
                "ms",
                Axes(floor=5),
                (line("p99", "serving", "p99_ms"), " ".join(duration(now.p99_ms))),
                (line("median", "web", "p50_ms"), " ".join(duration(now.p50_ms))),
            ),
            chart(
                "Pending predictions",
                f"rows, limit {at_work}",
                Axes(floor=10, limit=at_work),
                *everywhere("all_pending", now.all_pending),
                (line("pending", "web", "pending"), number(now.pending)),
                (line("mean of 15 s", "serving", "pending_average"), number(now.pending_average)),
            ),
        ]


def number(value: float) -> str:
    """Write a number as short as its size allows."""
    if value >= 100 or value == int(value):  # noqa: PLR2004 three digits
        return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{value:.1f}"


def duration(ms: float | None) -> tuple[str, str]:
    """Write a duration and its unit."""
    if ms is None:
        return "\N{EN DASH}", ""
    if ms >= 1000:  # noqa: PLR2004 a second
        return f"{ms / 1000:.1f}", "s"
    return (f"{ms:.0f}" if ms >= 100 else f"{ms:.1f}"), "ms"  # noqa: PLR2004 three digits


def _serving_pod(backend: BackendSample, recent: Sequence[Event], busiest: int) -> Pod:
    state = _fresh(backend.address, "serving", recent) if backend.state == "ready" else ""
    return Pod(
        _short(backend.address),
        state or backend.state,
        f"{number(backend.rate)} / s" if backend.state == "ready" else "",
        backend.outstanding / busiest if busiest else 0.0,
    )


def _fresh(name: str, tier: str, recent: Sequence[Event]) -> str:
    return "fresh" if any((event.tier, event.kind, event.name) == (tier, "joined", name) for event in recent) else ""


def _gone(tier: str, present: Sequence[Pod], recent: Sequence[Event]) -> list[Pod]:
    left = {_short(event.name) for event in recent if (event.tier, event.kind) == (tier, "left")}
    return [Pod(name, "gone", "left") for name in sorted(left - {pod.name for pod in present})]


def _short(address: str) -> str:
    """Leave the port out: it is the same for all of a tier in a cluster; on one machine it is all that differs."""
    host, _, port = address.rpartition(":")
    return f":{port}" if host.startswith(("127.", "localhost")) else host


def _told(event: Event) -> dict[str, str]:
    return {
        "clock": _clock(event.unix_s),
        "tier": event.tier,
        "kind": event.kind,
        "text": f"{TIERS[event.tier]} {event.name} {event.kind}",
    }


def _clock(unix_s: float) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%H:%M:%S}"
