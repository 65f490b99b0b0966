"""The same prediction as a command: what the form sends, for a shell."""

import base64
import re
import shlex
from dataclasses import dataclass
from urllib.parse import quote

from tidegate_web.codec.json_text import dumps
from tidegate_web.codec.values import from_array, is_finite
from tidegate_web.prediction import DEFAULT_SIGNATURE, Array, ModelRef, Prediction

MOST_BYTES = 2**15
"""A shell takes 128 KiB as one argument, a person far less."""

FILE = "row.json"

HOST = re.compile(r"[A-Za-z0-9.:_\[\]-]{1,255}")


@dataclass(frozen=True, slots=True)
class Command:
    """A shell command.

    Attributes:
        text: The command; empty where the API would refuse its body as too large.
        body_bytes: Size of a body that is too large to be part of it; 0 where it is.
        download: The file that it reads such a body from, as a `data:` address.
    """

    text: str
    body_bytes: int = 0
    download: str = ""


def command(prediction: Prediction, asked: ModelRef, origin: str, most_bytes: int) -> Command:
    """Write the command for a prediction.

    Args:
        prediction: What was asked.
        asked: The model as the client named it.
        origin: `scheme://host` under which the client reached the form.
        most_bytes: Size of the largest body that the API takes.
    """
    body = _body(prediction)
    if len(body) > most_bytes:
        return Command("", len(body))
    start = f"curl -sS {shlex.quote(origin + path(asked))} \\\n  -H 'Content-Type: application/json'"
    if len(body) > MOST_BYTES:
        # In the page: a second request would need the picture again, which without scripts is no more in the form
        file = f"data:application/json;base64,{base64.b64encode(body).decode()}"
        return Command(f"{start} \\\n  -d @{FILE}", len(body), file)
    return Command(f"{start} \\\n  -d {shlex.quote(body.decode())}")


def path(model: ModelRef) -> str:
    """Return the API's path to predict by a model, version or label."""
    text = f"/v1/models/{quote(model.name, safe='')}"
    if model.version is not None:
        text += f"/versions/{model.version}"
    if model.label is not None:
        text += f"/labels/{quote(model.label, safe='')}"
    return f"{text}:predict"


def origin(scheme: str, host: str) -> str:
    """Return the origin of a request; a `Host` that is none is replaced, since it ends up in a shell."""
    return f"{scheme}://{host if HOST.fullmatch(host) else 'localhost'}"


def _body(prediction: Prediction) -> bytes:
    arrays = prediction.inputs
    finite = all(is_finite(array) for array in arrays.values())
    columns: dict[str, object] = {name: _value(array, finite=finite) for name, array in arrays.items()}
    signature = {} if prediction.signature == DEFAULT_SIGNATURE else {"signature_name": prediction.signature}
    if len(columns) == 1:
        (column,) = columns.values()
        layout = "instances" if prediction.batchable else "inputs"
        return dumps({**signature, layout: column}, finite=finite)
    return dumps({**signature, "inputs": columns}, finite=finite)


def _value(array: Array, *, finite: bool) -> object:
    return from_array(array, "", plain=not finite)
