"""How long each scale-up took, from the change of the load to the first answer of each new pod, as bars in seconds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from tidegate_proof.report import svg
from tidegate_proof.report.axes import NARROW, WIDE, Frame, time_step
from tidegate_proof.report.wording import clock, seconds, several

_LANE = 19
_BAR = 11
_HEAD = 24
_GAP = 12
_BEHIND = 1.08
_WORDS = {WIDE: 310, NARROW: 70}
"""Room behind the last bar, for its words."""

_HEAD_WORDS = {WIDE: 300, NARROW: 240}
"""From the left edge, where the words of an event's head end and half of the moment's would begin."""

_BACK_WORDS = 50
"""Half of the words for the moment when the objective was met again."""

PODS = 8
"""Of an event, so many pods are drawn; the others are counted."""


@dataclass(frozen=True, slots=True)
class NewPod:
    """A pod that a scale-up brought; seconds since the event's zero, None for what never happened.

    Attributes:
        name: Of the pod, or "" where it is not known.
        created_s: When Kubernetes made it.
        ready_s: When it became Ready.
        first_answer_s: When it first answered a request.
    """

    name: str
    created_s: float | None
    ready_s: float | None
    first_answer_s: float | None


@dataclass(frozen=True, slots=True)
class ScaleUp:
    """A scale-up; its zero is the change of the load, or the decision where no change led to it.

    Attributes:
        tier: That grew.
        before: Pods before.
        after: Pods after.
        zero_s: Its zero, in seconds since the start of the run.
        load_changed: Whether the zero is a change of the load.
        decided_s: When the autoscaler decided, since the zero.
        pods: That came.
        slo_back_s: When the objective was met again, since the zero; None when it never was missed, or never met again.
    """

    tier: str
    before: int
    after: int
    zero_s: float
    load_changed: bool
    decided_s: float
    pods: Sequence[NewPod]
    slo_back_s: float | None

    @property
    def last_bar_s(self) -> float:
        """The end of the last bar."""
        moments = [at for pod in self.pods for at in (pod.created_s, pod.ready_s, pod.first_answer_s)]
        return max(at for at in (*moments, self.decided_s, 1.0) if at is not None)

    @property
    def height(self) -> float:
        """What it takes of the picture."""
        return _HEAD + _LANE * (self.load_changed + min(len(self.pods), PODS) + (len(self.pods) > PODS)) + _GAP


def reaction(events: Sequence[ScaleUp]) -> svg.Picture:
    """Draw all scale-ups, one below the other, on one axis of seconds since each one's zero."""
    height = sum(event.height for event in events) + 36
    legend = [
        ("deciding", "load changed → decided"),
        ("serving starting", "created → Ready"),
        ("serving idle", "Ready → first answer"),
        ("slo-back", "objective met again"),
    ]
    described = ". ".join(_described(event) for event in events) + "."
    caption = svg.Caption("reaction", "Scale-ups, step by step", described, legend)
    wide, narrow = (
        svg.drawing(caption, variant, (width, height), _draw(_frame(width, height, events), events))
        for variant, width in (("w", WIDE), ("n", NARROW))
    )
    return svg.Picture(caption, wide, narrow)


def _frame(width: int, height: float, events: Sequence[ScaleUp]) -> Frame:
    """Choose the axis: room for words behind the last bar, and for the moment when the objective was met again."""
    frame = Frame(width, height, 0, 1, top=6)
    across = frame.right_side - frame.left
    bars = max(event.last_bar_s for event in events) * across / (across - _WORDS[width])
    back = max((event.slo_back_s for event in events if event.slo_back_s is not None), default=0) * _BEHIND
    return replace(frame, x_to=max(bars, back))


def _draw(frame: Frame, events: Sequence[ScaleUp]) -> Markup:
    step = time_step(frame.x_to, 10 if frame.width == WIDE else 5)
    ticks = [step * index for index in range(int(frame.x_to / step) + 1)]
    parts = [frame.columns(ticks, lambda value: f"{value:g} s")]
    y = frame.top
    for event in events:
        parts.append(_event(frame, event, y))
        y += event.height
    return Markup("").join(parts)


def _event(frame: Frame, event: ScaleUp, y: float) -> Markup:
    """Draw one scale-up: its head, the decision, a lane for each pod."""
    since = "load changed at" if event.load_changed else "decided at"
    when = f"  {since} {clock(event.zero_s)}" if frame.width == WIDE else f"  at {clock(event.zero_s)}"
    head = f"{event.tier} {event.before} → {event.after}"
    parts = [
        svg.element(
            "text",
            svg.element("tspan", head, class_="strong") + svg.element("tspan", when),
            x=frame.left,
            y=y + 15,
        )
    ]
    if event.slo_back_s is not None:
        x = frame.x(event.slo_back_s)
        parts.append(svg.line(x, y + _HEAD - 4, x, y + event.height - _GAP, "slo-back"))
        back = f"met again {seconds(event.slo_back_s)}"
        head_words = _HEAD_WORDS[WIDE if frame.width == WIDE else NARROW]
        beside = min(max(x, frame.left + head_words), frame.right_side - _BACK_WORDS)
        parts.append(svg.text(beside, y + 15, back, style="slo-back-name", anchor="middle"))
    lane = y + _HEAD
    if event.load_changed:
        parts.append(_bar(frame, lane, (0, event.decided_s), "deciding"))
        parts.append(_words(frame, lane, event.decided_s, f"decided {seconds(event.decided_s)}"))
        lane += _LANE
    for pod in event.pods[:PODS]:
        parts.append(_pod(frame, event, pod, lane))
        lane += _LANE
    if len(event.pods) > PODS:
        parts.append(_words(frame, lane, 0, f"and {several(len(event.pods) - PODS, 'more pod')}"))
    return Markup("").join(parts)


def _pod(frame: Frame, event: ScaleUp, pod: NewPod, y: float) -> Markup:
    """Draw one pod's lane; its words stand behind the last bar."""
    parts = [svg.text(frame.left - 8, y + 10, pod.name.rsplit("-", 1)[-1][-6:], style="tick", anchor="end")]
    known = [at for at in (pod.created_s, pod.ready_s, pod.first_answer_s) if at is not None]
    if pod.created_s is not None and pod.ready_s is not None:
        parts.append(_bar(frame, y, (pod.created_s, pod.ready_s), f"{event.tier} starting"))
    if pod.ready_s is not None and pod.first_answer_s is not None:
        parts.append(_bar(frame, y, (pod.ready_s, pod.first_answer_s), f"{event.tier} idle"))
    if known:
        parts.append(_words(frame, y, max(known), _moments(pod, brief=frame.width != WIDE)))
    return Markup("").join(parts)


def _moments(pod: NewPod, *, brief: bool) -> str:
    if brief:
        return seconds(pod.first_answer_s if pod.first_answer_s is not None else pod.ready_s)
    named = (("created", pod.created_s), ("Ready", pod.ready_s), ("first answer", pod.first_answer_s))
    return ", ".join(f"{name} {seconds(at)}" if at is not None else f"{name} never" for name, at in named)


def _bar(frame: Frame, y: float, moments: tuple[float, float], style: str) -> Markup:
    start, end = (frame.x(at) for at in moments)
    return svg.rect(start, y, max(end - start, 1.5), _BAR, style)


def _words(frame: Frame, y: float, at: float, words: str) -> Markup:
    return svg.text(frame.x(at) + 7, y + 10, words, style="tick halo-text")


def _described(event: ScaleUp) -> str:
    first = [pod.first_answer_s for pod in event.pods if pod.first_answer_s is not None]
    back = "" if event.slo_back_s is None else f", the objective met again after {seconds(event.slo_back_s)}"
    return (
        f"{event.tier} from {event.before} to {event.after}: decided after {seconds(event.decided_s)}, "
        f"first answer of a new pod after {seconds(min(first, default=None))}{back}"
    )
