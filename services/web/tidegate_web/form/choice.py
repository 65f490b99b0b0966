"""Which model, version or label and signature a page is about: its parameters, and what there is to choose from."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from tidegate_web.codec.rest_v1 import select_signature
from tidegate_web.codec.values import describe
from tidegate_web.errors import BadInput, NotFound, Problem, TidegateError
from tidegate_web.prediction import DEFAULT_SIGNATURE, ModelMetadata, ModelRef, Predictor, Signature

NAMES = ("model", "version", "label", "signature")
"""The parameters, of links and of the form."""

BEFORE = "was"
"""Parameter of the pickers: the model that the other choices were made for."""

LONGEST_NAME = 200

INT64_MAX = 2**63 - 1

REMEMBERED_S = 2.0
"""How long a model's versions are believed; a page that shows them need not ask each time."""

REMEMBERED_MODELS = 64

PREDICT_METHODS = ("", "tensorflow/serving/predict")

INTERNAL = "__saved_model"
"""How the names of signatures begin that TensorFlow keeps for itself."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the page is about.

    Attributes:
        model: Which model, version or label.
        signature: Name of the signature; empty for the model's own.
    """

    model: ModelRef
    signature: str = ""

    def parameters(self) -> dict[str, str]:
        """Return what says the same in a link or in a form's hidden fields."""
        version = "" if self.model.version is None else str(self.model.version)
        values = (self.model.name, version, self.model.label or "", self.signature)
        return {name: value for name, value in zip(NAMES, values, strict=True) if value}

    def query(self, **more: object) -> str:
        """Return the parameters, and more of them, as a query string."""
        return urlencode({**self.parameters(), **more})


def read_choice(texts: Mapping[str, str], default_model: str) -> Choice:
    """Read the parameters.

    Raises:
        BadInput: A name that is too long, a version that is no number, or both a version and a label.
        NotFound: A version that no int64 holds.
    """
    for name in NAMES:
        if len(texts.get(name, "")) > LONGEST_NAME:
            expected = f"a text of at most {LONGEST_NAME} characters"
            raise BadInput(problems=(Problem(name, expected, f"one of {len(texts[name])}"),))
    if texts.get(BEFORE) not in {None, texts.get("model")}:
        texts = {"model": texts.get("model", "")}  # another model has other versions, labels and signatures
    version, label = texts.get("version", "").strip(), texts.get("label", "").strip()
    if version and label:
        raise BadInput(f"Expected a version or a label, came both: version {version[:20]} and label {label!r}")
    if version and not re.fullmatch(r"[0-9]+", version):
        raise BadInput(problems=(Problem("version", "a whole number", describe(version)),))
    if version and int(version[:20]) > INT64_MAX:
        raise NotFound(f"No version {version[:20]}…: TF Serving's versions are at most {INT64_MAX}")
    model = ModelRef(texts.get("model", "") or default_model, int(version) if version else None, label or None)
    return Choice(model, texts.get("signature", ""))


def choose_signature(metadata: ModelMetadata, name: str) -> tuple[str, Signature]:
    """Return the named signature; without a name `serving_default`, or the first that a form can be made of.

    Raises:
        BadInput: There is none of that name, or it is not for predict.
    """
    if not name:
        callables = [key for key in offered_signatures(metadata) if callable_here(metadata.signatures[key])]
        name = DEFAULT_SIGNATURE if DEFAULT_SIGNATURE in callables or not callables else callables[0]
    signature = select_signature(metadata, name)
    if not callable_here(signature):
        method = signature.method.rpartition("/")[2]
        raise BadInput(f'Signature "{name}" is for {method}: ask POST /v1/models/{metadata.name}:{method}')
    return name, signature


def callable_here(signature: Signature) -> bool:
    """Whether the form can call it: classify and regress take tf.Examples, which the API does."""
    return signature.method in PREDICT_METHODS


def offered_signatures(metadata: ModelMetadata) -> list[str]:
    """Return the names that people may choose from."""
    return [name for name in sorted(metadata.signatures) if not name.startswith(INTERNAL)]


class Versions:
    """The versions of each model that answer.

    Args:
        predictor: What is asked.
        clock: Monotonic seconds.
    """

    def __init__(self, predictor: Predictor, clock: Callable[[], float] = time.monotonic) -> None:
        self._predictor = predictor
        self._clock = clock
        self._known: dict[str, tuple[float, Sequence[int]]] = {}

    async def available(self, model: str, timeout_s: float) -> Sequence[int]:
        """Return a model's AVAILABLE versions, the newest first; none where nobody can tell."""
        now = self._clock()
        if (known := self._known.get(model)) is not None and now - known[0] <= REMEMBERED_S:
            return known[1]
        try:
            statuses = await self._predictor.status(ModelRef(model), timeout_s)
        except TidegateError:
            return ()  # the page is about something else, and says by itself what is wrong with the model
        versions = sorted((status.version for status in statuses if status.state == "AVAILABLE"), reverse=True)
        if len(self._known) >= REMEMBERED_MODELS:
            del self._known[next(iter(self._known))]
        self._known[model] = (now, versions)
        return versions
