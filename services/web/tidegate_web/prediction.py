"""What flows through the gateway: a Prediction in, an Outcome out, and the Predictor that turns one into the other.

Classify and regress are TF Serving's older pair beside predict: an ExampleQuery in, Classified or Regressed out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
"""A tensor. Text and bytes are object arrays of `bytes`."""

UNCARRIED = np.dtype(np.void)
"""Stands for the element types that the gateway does not carry, such as complex numbers."""

DEFAULT_SIGNATURE = "serving_default"


class ModelRef(NamedTuple):
    """Which model, and which of its versions: a number, a label, or (neither) the server's choice."""

    name: str
    version: int | None = None
    label: str | None = None

    def __str__(self) -> str:
        if self.version is not None:
            return f"{self.name} version {self.version}"
        if self.label is not None:
            return f'{self.name} label "{self.label}"'
        return self.name


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a signature.

    Attributes:
        dtype: Element type; `object` stands for strings of bytes, UNCARRIED for what cannot be sent or read.
        shape: Sizes, None where any size will do; None altogether where any rank will do.
        wire_dtype: TensorFlow's name of the type, e.g. `DT_FLOAT`.
        tensor_name: The name in the graph, e.g. `serving_default_inputs:0`.
    """

    dtype: np.dtype[np.generic]
    shape: tuple[int | None, ...] | None
    wire_dtype: str
    tensor_name: str = ""

    @property
    def batched(self) -> bool:
        """Whether the first dimension takes any number of rows."""
        return bool(self.shape) and self.shape is not None and self.shape[0] is None

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor of this shape fits."""
        wanted = self.shape
        if wanted is None or shape == wanted:
            return True
        if len(wanted) != len(shape):
            return False
        if None not in wanted[1:]:  # as most are, and quicker than one by one
            return shape[1:] == wanted[1:] and wanted[0] in {None, shape[0]}
        return all(want is None or want == got for want, got in zip(wanted, shape, strict=True))

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.dtype_name} of any shape"
        return f"{self.dtype_name} [{', '.join('any' if size is None else str(size) for size in self.shape)}]"

    @property
    def dtype_name(self) -> str:
        """The element type as a person would say it."""
        if not self.carried:
            return self.wire_dtype.removeprefix("DT_").lower()
        return "string" if self.dtype == object else self.dtype.name

    @property
    def carried(self) -> bool:
        """Whether the gateway can send and read such a tensor."""
        return self.dtype != UNCARRIED


@dataclass(frozen=True, slots=True)
class Signature:
    """What one signature of a model takes and gives, by name."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    method: str = ""
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What stands for inputs that are left out by gRPC, as JSON in TF Serving's layout; it is only told."""
    batchable: bool = field(init=False)
    """Whether rows of several requests may go as one: every tensor's first dimension takes any number of rows."""
    wire_dtypes: Mapping[str, str] = field(init=False)
    """TensorFlow's types, by name, of the inputs whose arrays do not tell theirs: bfloat16 is held as float32."""

    def __post_init__(self) -> None:
        """Derive what every prediction asks for."""
        wide = {name: spec.wire_dtype for name, spec in self.inputs.items() if spec.wire_dtype == "DT_BFLOAT16"}
        object.__setattr__(self, "wire_dtypes", wide)
        specs = (*self.inputs.values(), *self.outputs.values())
        object.__setattr__(self, "batchable", bool(self.inputs) and all(spec.batched for spec in specs))


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """A loaded model: its name, the version that answered, and its signatures by name."""

    name: str
    version: int
    signatures: Mapping[str, Signature]


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """Where one version of a model stands, in TF Serving's words.

    Attributes:
        version: The version's number.
        state: START, LOADING, AVAILABLE, UNLOADING, END or UNKNOWN.
        error_code: Name of the gRPC code, `OK` where nothing is wrong.
        error_message: What is wrong.
    """

    version: int
    state: str
    error_code: str = "OK"
    error_message: str = ""


@dataclass(slots=True)
class Prediction:
    """One request to a model: tensors by input name, checked against the signature.

    Nobody changes one. (Freezing it would cost each request a microsecond, like `Outcome`.)

    Attributes:
        model: Which model, version or label.
        signature: Name of the signature.
        inputs: A tensor for each of its inputs.
        batchable: Whether the signature's rows may be joined with those of other requests.
        wanted: Names of the outputs to answer; all of them when empty.
        wire_dtypes: The signature's `wire_dtypes`.
        rows: Rows in the batch: the first dimension of the first input, 1 for a scalar.
    """

    model: ModelRef
    signature: str
    inputs: Mapping[str, Array]
    batchable: bool = False
    wanted: tuple[str, ...] = ()
    wire_dtypes: Mapping[str, str] = field(default_factory=dict)
    rows: int = field(init=False)

    def __post_init__(self) -> None:
        """Count the rows."""
        for array in self.inputs.values():
            self.rows = len(array) if array.ndim else 1
            return
        self.rows = 1


Example = Mapping[str, Array]
"""One tf.Example: a 1-D array by feature name, of float32, int64 or object (`bytes`)."""


@dataclass(frozen=True, slots=True)
class ExampleQuery:
    """One request to classify or regress.

    Attributes:
        model: Which model, version or label.
        signature: Name of the signature.
        examples: The rows.
        context: Features that all of them share.
    """

    model: ModelRef
    signature: str
    examples: Sequence[Example]
    context: Example | None = None


@dataclass(slots=True, kw_only=True)
class Reply:
    """What every answer tells of itself.

    Attributes:
        version: The version that answered.
        backend: Address of the model server that answered; empty in process.
        timings: Seconds spent, by stage, for `Server-Timing`.
    """

    version: int
    backend: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome(Reply):
    """A model's answer to a Prediction: tensors by output name."""

    outputs: Mapping[str, Array]


@dataclass(slots=True)
class Classified(Reply):
    """The answer to classify: for each example its classes, label and score."""

    classes: Sequence[Sequence[tuple[str, float]]]


@dataclass(slots=True)
class Regressed(Reply):
    """The answer to regress: a value for each example."""

    values: Sequence[float]


class Predictor(Protocol):
    """Answers predictions, wherever the model runs. Every method raises the errors of `tidegate_web.errors` only."""

    def models(self) -> Sequence[str]:
        """Return the names that are offered to people; the first is the default. Others may be served too."""
        ...

    def route(self, model: ModelRef, client: str) -> ModelRef:
        """Return what a client's requests for a model go to: itself, or the label that a canary's weights give it.

        Args:
            model: As the request names it; one with a version or label is returned as it is.
            client: What stays the same over a client's requests.
        """
        ...

    async def predict(self, prediction: Prediction, timeout_s: float) -> Outcome:
        """Answer within the time-out, or raise DeadlineExceeded."""
        ...

    async def classify(self, query: ExampleQuery, timeout_s: float) -> Classified:
        """Answer within the time-out, or raise DeadlineExceeded."""
        ...

    async def regress(self, query: ExampleQuery, timeout_s: float) -> Regressed:
        """Answer within the time-out, or raise DeadlineExceeded."""
        ...

    async def metadata(self, model: ModelRef, timeout_s: float) -> ModelMetadata:
        """Return the signatures of a loaded version."""
        ...

    async def status(self, model: ModelRef, timeout_s: float) -> Sequence[VersionStatus]:
        """Return where the model's versions stand."""
        ...


Answered = Callable[[Outcome | Exception], None]
"""Called once with a Prediction's answer, or with why there is none."""


class QuickPredictor(Predictor, Protocol):
    """A Predictor that can also answer by calling back, which spares each request a task; the fast way in feeds it."""

    def known_metadata(self, model: ModelRef) -> ModelMetadata | None:
        """Return signatures that need not be asked for; None where they must be."""
        ...

    def submit(self, prediction: Prediction, timeout_s: float, answered: Answered) -> Callable[[], object] | None:
        """Begin to answer; `answered` is called later, within the time-out.

        Returns:
            What takes the Prediction back, so that `answered` is not called any more; None where it cannot begin at
            once: nothing was begun then, and `predict` has to wait for its turn.
        """
        ...
