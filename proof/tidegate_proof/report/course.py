"""What all pictures over time share: one time axis, the load's phases, and the seconds that missed the objective."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tidegate_proof.report import svg
from tidegate_proof.report.axes import NARROW, WIDE, Frame
from tidegate_proof.report.wording import clock, slug

POINTS = 480
"""A line has at most so many points: two pixels each."""

COLUMNS = 240
"""A heat map has at most so many columns: four pixels each."""

_GRAINS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)

LETTER_WIDTH = 8.5
"""Of a label, at most on average, so that labels which would not fit are left out."""


@dataclass(frozen=True, slots=True)
class Span:
    """A phase of the load, in seconds since the start."""

    name: str
    start_s: float
    end_s: float
    measured: bool


@dataclass(frozen=True, slots=True)
class Course:
    """A run's time axis.

    Attributes:
        end_s: Its end, in seconds since the start.
        phases: Of the load.
        violations: Spans of seconds in which the objective was missed.
        run: Tells the run's pictures from those of others on the same page; "" where it is alone.
    """

    end_s: float
    phases: Sequence[Span]
    violations: Sequence[tuple[float, float]]
    run: str = ""

    def caption(self, name: str, title: str, described: str, legend: Sequence[tuple[str, str]] = ()) -> svg.Caption:
        """Make the caption of one of the run's pictures."""
        if not self.run:
            return svg.Caption(name, title, described, legend)
        return svg.Caption(slug(f"{self.run}-{name}"), f"{self.run}: {title[0].lower()}{title[1:]}", described, legend)

    def frame(self, width: float, height: float) -> Frame:
        """Make a picture's frame; all of one width have their sides at the same places."""
        return Frame(width, height, 0, self.end_s, left=54 if width == WIDE else 52)

    @property
    def grain_s(self) -> int:
        """The seconds that become one point of a line."""
        return grain(self.end_s, POINTS)


def grain(end_s: float, most: int) -> int:
    """Choose the seconds that are drawn as one, so that no more than so many are drawn."""
    return next((seconds for seconds in _GRAINS_S if end_s / seconds <= most), _GRAINS_S[-1])


def spans(seconds: Iterable[int]) -> list[tuple[float, float]]:
    """Join seconds that follow each other."""
    found: list[tuple[float, float]] = []
    for second in sorted(set(seconds)):
        if found and found[-1][1] == second:
            found[-1] = (found[-1][0], second + 1)
        else:
            found.append((second, second + 1))
    return found


def grouped(values: Sequence[float | None], size: int, join: Callable[[list[float]], float]) -> list[float | None]:
    """Join each group of so many values into one; a group with none has none."""
    groups = (values[index : index + size] for index in range(0, len(values), size))
    known = ([value for value in group if value is not None] for group in groups)
    return [join(group) if group else None for group in known]


def mean(values: list[float]) -> float:
    """Take the mean: for rates."""
    return sum(values) / len(values)


def points(frame: Frame, values: Sequence[float | None], grain_s: int) -> list[svg.Point | None]:
    """Place one value for each grain in the middle of its seconds; a gap stays one."""
    return [
        None if value is None else (frame.x((index + 0.5) * grain_s), frame.y(value))
        for index, value in enumerate(values)
    ]


def area(frame: Frame, placed: Sequence[svg.Point | None]) -> str:
    """Path data of what lies below a line."""
    known = [point for point in placed if point is not None]
    if not known:
        return ""
    return f"{svg.joined([(known[0][0], frame.floor), *known, (known[-1][0], frame.floor)])}z"


def backdrop(frame: Frame, course: Course, *, named: bool = False) -> Markup:
    """Draw what lies behind a picture over time: phases that are not measured, borders of phases, missed seconds.

    Args:
        frame: Of the picture.
        course: Its time axis.
        named: Whether the phases' names stand above the picture.
    """
    high = frame.floor - frame.top
    parts = [
        svg.rect(frame.x(phase.start_s), frame.top, frame.x(phase.end_s) - frame.x(phase.start_s), high, "unmeasured")
        for phase in course.phases
        if not phase.measured
    ]
    for start, end in course.violations:
        x, width = frame.x(start), max(frame.x(end) - frame.x(start), 1)
        missed = svg.rect(x, frame.top, width, high, "missed") + svg.rect(x, frame.top - 4, width, 4, "missed-mark")
        parts.append(svg.titled(missed, f"objective missed from {clock(start)} to {clock(end)}"))
    parts += [
        svg.line(frame.x(phase.start_s), frame.top, frame.x(phase.start_s), frame.floor, "border")
        for phase in course.phases
        if phase.start_s > 0
    ]
    if named:
        parts += [_phase_name(frame, phase) for phase in course.phases]
    return Markup("").join(parts)


def _phase_name(frame: Frame, phase: Span) -> Markup:
    """Write a phase's name above it, where there is room for it."""
    x, end = frame.x(phase.start_s), frame.x(phase.end_s)
    room = int((end - x) / LETTER_WIDTH)
    name = phase.name if phase.measured else f"{phase.name}, not measured"
    for words in (name, phase.name):
        if len(words) <= room:
            return svg.text(x + 2, frame.top - 9, words, style="phase")
    return Markup("")


def picture(caption: svg.Caption, course: Course, height: float, draw: Callable[[Frame], Markup]) -> svg.Picture:
    """Draw a picture over time in both widths.

    Args:
        caption: Its words.
        course: The time axis.
        height: Of the picture.
        draw: Fills a frame.
    """
    wide, narrow = (
        svg.drawing(caption, variant, (width, height), draw(course.frame(width, height)))
        for variant, width in (("w", WIDE), ("n", NARROW))
    )
    return svg.Picture(caption, wide, narrow)
