"""The gateway's form as a browser has it: which fields a page has, what is typed into them, which answer it shows.

Patterns are enough to read it: all that comes from a model or a card is escaped in it. Standard library only: the load
test's image has nothing else.
"""

import base64
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from html import unescape
from urllib.parse import urldefrag

from oip import flat, split
from payloads import Payload, Prepared
from signatures import Signature

FORM = re.compile(r'<form method="post" action="([^"]*)"[^>]*>(.*?)</form>', re.DOTALL)
CONTROL = re.compile(r"<(?:input|textarea|select)\b([^>]*)>")
ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
RESULT = re.compile(r'<output id="result" (?:data-class="(\d+)")?')
OUTPUT = re.compile(r'<h3>([^<]*)</h3>\s*(?:<table class="bars">(.*?)</table>|<pre[^>]*>(.*?)</pre>)', re.DOTALL)
SHARE = re.compile(r'<td class="number">([\d.]+) %</td>')
CLASSES = re.compile(r"largest of (\d+) classes")
"""How a page says that it does not show the shares of all classes."""
CUT = re.compile(r"… \(\d+ characters\)$")
"""How a page says that it does not show all of an output."""

MOST_NAMED = 4
"""Fields that a message names."""


class FormError(Exception):
    """A page that is not what was expected; the text says what came."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A form that was filled in.

    Attributes:
        action: Where it is posted to.
        texts: By field.
        files: Name and bytes by field, both empty where no file was chosen; none at all where the form takes none.
    """

    action: str
    texts: Mapping[str, str]
    files: Mapping[str, tuple[str, bytes]]


def fill_in(page: str, signature: Signature, inputs: Mapping[str, object]) -> Filled:
    """Type a row into the fields that a page has for it.

    Args:
        page: With the form.
        signature: Of the row.
        inputs: The row's value for each input.

    Raises:
        FormError: It has no form, or other fields than the inputs have.
    """
    form = FORM.search(page)
    if form is None:
        raise FormError("expected a page with a form, came one without")
    hidden: dict[str, str] = {}
    boxes: list[str] = []
    files: dict[str, tuple[str, bytes]] = {}
    for attributes in CONTROL.findall(form[2]):
        control = {name: unescape(value) for name, value in ATTRIBUTE.findall(attributes)}
        if control.get("type") == "hidden":
            hidden[control["name"]] = control["value"]
        elif control.get("type") == "file":
            files[control["name"]] = ("", b"")
        else:
            boxes.append(control["name"])
    texts: dict[str, str] = {}
    for name, tensor in signature.inputs.items():
        whole, value = f"{name}.all", inputs[name]
        if whole not in boxes:
            texts |= {f"{name}.{place}": _typed(element) for place, element in enumerate(flat(value))}
        elif (file := f"{whole}.file") in files and tensor.dtype == "DT_STRING":
            texts[whole] = ""
            files[file] = ("picture", _bytes(flat(value)[0]))
        else:
            texts[whole] = json.dumps([value] if tensor.batched else value)
    if texts.keys() != set(boxes):
        raise FormError(f"expected a form with {_some(texts)}, came one with {_some(boxes)}")
    return Filled(urldefrag(unescape(form[1])).url, hidden | texts, files)


def wrong_answer(page: str, payload: Payload, row: Prepared) -> str:
    """Say what is wrong with the answer that a page shows; empty when nothing is.

    Of shares, the class is judged, and how many there are. An answer that the page does not show all of is not judged.
    """
    result = RESULT.search(page)
    if result is None:
        return "expected a result on the page, came none"
    outputs: dict[str, object] = {}
    for name, bars, text in OUTPUT.findall(page):
        if CUT.search(text):
            return ""
        outputs[unescape(name)] = [_shares(bars)] if bars else json.loads(unescape(text))
    found = split(outputs, payload.signature, 1)
    if isinstance(found, str):
        return found
    best = int(result[1]) if result[1] else None
    return payload.wrong_row(row, found[0], best)


def _shares(bars: str) -> list[float]:
    """Read the shares of all classes off a table; those that it leaves out, which are small, count as none."""
    shown = [float(percent) / 100 for percent in SHARE.findall(bars)]
    more = CLASSES.search(bars)
    return shown + [0.0] * (int(more[1]) - len(shown) if more else 0)


def _typed(element: object) -> str:
    """Write an element as a person types it; bytes that are no text as the form itself writes those of an example."""
    return _bytes(element).decode(errors="replace") if isinstance(element, str | dict) else json.dumps(element)


def _bytes(element: object) -> bytes:
    return base64.b64decode(element["b64"]) if isinstance(element, dict) else str(element).encode()


def _some(names: Collection[str]) -> str:
    return ", ".join(list(names)[:MOST_NAMED]) or "no field"
