"""A few elements of SVG as text. Every value is escaped on its way in, and numbers are short and always the same."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup, escape

from tidegate_proof.report.wording import visible

Point = tuple[float, float]


def number(value: float) -> str:
    """Write a coordinate: a tenth of a unit is finer than a screen shows."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def element(name: str, inside: str = "", /, **attributes: str | float | None) -> Markup:
    """Write an element.

    Args:
        name: Of the element.
        inside: What it holds: text is escaped, Markup stands as it is.
        attributes: An underscore in a name stands for a hyphen, and one at its end for nothing; None leaves out.
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(
            key.removesuffix("_").replace("_", "-"), visible(value) if isinstance(value, str) else number(value)
        )
        for key, value in attributes.items()
        if value is not None
    )
    body = inside if isinstance(inside, Markup) else escape(visible(inside))
    return Markup("<{0}{1}>{2}</{0}>").format(name, written, body) if body else Markup("<{}{}/>").format(name, written)


def titled(drawn: Markup, title: str) -> Markup:
    """Give what is drawn a title: pointers show it, and so do screen readers."""
    return element("g", element("title", title) + drawn)


def text(x: float, y: float, words: str, *, style: str = "", anchor: str | None = None) -> Markup:
    """Write words at a place; the anchor is SVG's: start when None, middle or end."""
    return element("text", words, x=x, y=y, class_=style or None, text_anchor=anchor)


def rect(x: float, y: float, width: float, height: float, style: str) -> Markup:
    """Draw a rectangle."""
    return element("rect", x=x, y=y, width=max(width, 0), height=max(height, 0), class_=style)


def path(d: str, style: str) -> Markup:
    """Draw a path; nothing when it is empty."""
    return element("path", d=d, class_=style) if d else Markup("")


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> Markup:
    """Draw a straight line."""
    return path(f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}", style)


def joined(points: Iterable[Point | None]) -> str:
    """Path data through points by straight lines; a None breaks it. A point alone becomes a dot that can be seen."""
    parts: list[str] = []
    length = 0
    for point in [*points, None]:
        if point is None:
            if length == 1:
                parts.append("h.6")
            length = 0
            continue
        parts.append(f"{'L' if length else 'M'}{number(point[0])} {number(point[1])}")
        length += 1
    return "".join(parts)


def stepped(points: Sequence[Point], end: float) -> str:
    """Path data of a value that holds until the next; it ends at x = end."""
    if not points:
        return ""
    (x, y), *rest = points
    d = f"M{number(x)} {number(y)}"
    for later, value in rest:
        if value != y:
            d += f"H{number(later)}V{number(value)}"
            y = value
    return f"{d}H{number(end)}"


def cells(boxes: Iterable[tuple[float, float, float, float]]) -> str:
    """Path data of many rectangles (x, y, width, height): one element for all of one colour."""
    return "".join(
        f"M{number(x)} {number(y)}h{number(width)}v{number(height)}h{number(-width)}z" for x, y, width, height in boxes
    )


@dataclass(frozen=True, slots=True)
class Caption:
    """A picture's words.

    Attributes:
        name: Of the picture; unique on its page.
        title: What it shows.
        described: What there is to see, for those who cannot.
        legend: Style and name of what its lines and areas are.
    """

    name: str
    title: str
    described: str
    legend: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn picture.

    Attributes:
        caption: Its words.
        wide: The drawing.
        narrow: The same for telephones, of which a style sheet shows either; None where one drawing suits both.
    """

    kind: ClassVar[str] = "picture"
    caption: Caption
    wide: Markup
    narrow: Markup | None = None


def drawing(caption: Caption, variant: str, size: tuple[float, float], inside: Markup) -> Markup:
    """Frame a drawing as an image with title and description.

    Args:
        caption: Its words.
        variant: Tells the drawings of one picture apart.
        size: Width and height in units of its own, which are a page's pixels where there is room.
        inside: What is drawn.
    """
    name = f"{caption.name}-{variant}"
    return element(
        "svg",
        element("title", caption.title, id=f"{name}-t") + element("desc", caption.described, id=f"{name}-d") + inside,
        viewBox=f"0 0 {number(size[0])} {number(size[1])}",
        role="img",
        aria_labelledby=f"{name}-t",
        aria_describedby=f"{name}-d",
    )
