"""Handlers of `/v1/…`: predict, classify, regress, metadata, status; of a model, its version or its label."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from tidegate_web.codec import rest_v1 as codec
from tidegate_web.codec.examples import encode_classes, encode_values, parse_examples
from tidegate_web.codec.json_text import dumps
from tidegate_web.errors import BadInput
from tidegate_web.prediction import (
    ExampleQuery,
    ModelMetadata,
    ModelRef,
    Outcome,
    Prediction,
    Predictor,
    Signature,
    TensorSpec,
)
from tidegate_web.request_body import read_body
from tidegate_web.request_context import RequestContext

INT64_MAX = 2**63 - 1

_MODEL = r"/v1/models/{model:[^/:]+}"
_CHOICES = ("", r"/versions/{version:\d+}", r"/labels/{label:[^/:]+}")


class RestV1:
    """The API over a Predictor; the server is to be made with `auto_decompress=False` (see request_body).

    Args:
        predictor: What answers.
        context: Knows each request.
    """

    def __init__(self, predictor: Predictor, context: RequestContext) -> None:
        self._predictor = predictor
        self._context = context

    def routes(self) -> list[web.RouteDef]:
        """Return what to mount, most specific first."""
        return [
            route
            for choice in _CHOICES
            for route in (
                web.post(f"{_MODEL}{choice}:predict", self.predict),
                web.post(f"{_MODEL}{choice}:classify", self.classify),
                web.post(f"{_MODEL}{choice}:regress", self.regress),
                web.get(f"{_MODEL}{choice}/metadata", self.metadata, allow_head=False),
                web.get(f"{_MODEL}{choice}", self.status, allow_head=False),
            )
        ] + [web.route("*", path, self.malformed) for path in ("/v1", "/v1/{rest:.*}")]

    async def predict(self, request: web.Request) -> web.Response:
        """Answer `POST …:predict`."""
        model, client = model_ref(request), self._context.client(request)
        body, outcome = await predict(
            self._predictor, model, client, await read_body(request), lambda: self._context.remaining_s(request)
        )
        self._context.answered(request, outcome)
        return _json(body)

    async def classify(self, request: web.Request) -> web.Response:
        """Answer `POST …:classify`."""
        classified = await self._predictor.classify(await self._query(request), self._context.remaining_s(request))
        self._context.answered(request, classified)
        return _json(encode_classes(classified.classes))

    async def regress(self, request: web.Request) -> web.Response:
        """Answer `POST …:regress`."""
        regressed = await self._predictor.regress(await self._query(request), self._context.remaining_s(request))
        self._context.answered(request, regressed)
        return _json(encode_values(regressed.values))

    async def _query(self, request: web.Request) -> ExampleQuery:
        model = self._predictor.route(model_ref(request), self._context.client(request))
        body = parse_examples(await read_body(request))
        return ExampleQuery(model, body.signature_name, body.examples, body.context)

    async def malformed(self, request: web.Request) -> web.Response:
        """Refuse every other path and method below `/v1`, in TF Serving's words.

        A path that takes other methods is told so by HTTP's own status, where TF Serving has 400 for everything.
        """
        allowed: set[str] = set()
        for resource in request.app.router.resources():
            allowed |= (await resource.resolve(request))[1]
        if named := sorted(allowed - {"*"}):
            raise web.HTTPMethodNotAllowed(request.method, named)
        if request.method == "GET" and request.path == "/v1/models":
            raise BadInput("Missing model name in request.")
        raise BadInput(f"Malformed request: {request.method} {request.path}")

    async def metadata(self, request: web.Request) -> web.Response:
        """Answer `GET …/metadata`."""
        metadata = await self._predictor.metadata(model_ref(request), self._context.remaining_s(request))
        return _json(dumps(_metadata_document(metadata)))

    async def status(self, request: web.Request) -> web.Response:
        """Answer `GET /v1/models/…`."""
        statuses = await self._predictor.status(model_ref(request), self._context.remaining_s(request))
        return _json(
            dumps(
                {
                    "model_version_status": [
                        {
                            "version": str(status.version),
                            "state": status.state,
                            "status": {"error_code": status.error_code, "error_message": status.error_message},
                        }
                        for status in statuses
                    ]
                }
            )
        )


async def predict(
    predictor: Predictor, model: ModelRef, client: str, body: bytes, remaining_s: Callable[[], float]
) -> tuple[bytes, Outcome]:
    """Answer the body of a `:predict`, whichever way it came.

    Args:
        predictor: What answers.
        model: As the path names it.
        client: What stays the same over a client's requests.
        body: The request's.
        remaining_s: Gives the seconds that it may still take.

    Raises:
        TidegateError: The body does not fit, or the Predictor's own.
    """
    asked = codec.parse_predict(body)
    model = predictor.route(model, client)
    metadata = await predictor.metadata(model, remaining_s())
    layout, prediction = asked.layout, to_prediction(asked, model, metadata)
    del asked, body  # a large one as Python's objects is twenty times its size
    outcome = await predictor.predict(prediction, remaining_s())
    return codec.encode_outputs(outcome.outputs, layout), outcome


def to_prediction(asked: codec.PredictBody, model: ModelRef, metadata: ModelMetadata) -> Prediction:
    """Hold a parsed body against the model's signature.

    Raises:
        BadInput: It does not fit.
    """
    signature = codec.select_signature(metadata, asked.signature_name)
    return Prediction(
        model,
        asked.signature_name,
        codec.tensors(asked, signature),
        signature.batchable,
        wire_dtypes=signature.wire_dtypes,
    )


def model_ref(request: web.Request) -> ModelRef:
    """Read the model from the path.

    Raises:
        BadInput: A version number that no int64 holds; TF Serving's words.
    """
    names = request.match_info
    version = names.get("version")
    if version is None:
        return ModelRef(names["model"], label=names.get("label"))
    digits = version.lstrip("0") or "0"
    if len(digits) > len(str(INT64_MAX)) or int(digits) > INT64_MAX:
        raise BadInput(f"Failed to convert version: {version[:40]} to numeric.")
    return ModelRef(names["model"], version=int(digits))


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def _metadata_document(metadata: ModelMetadata) -> dict[str, Any]:
    """TF Serving's own layout, as its protobuf-to-JSON writes it."""
    return {
        "model_spec": {"name": metadata.name, "signature_name": "", "version": str(metadata.version)},
        "metadata": {
            "signature_def": {
                "signature_def": {name: _signature(signature) for name, signature in metadata.signatures.items()}
            }
        },
    }


def _signature(signature: Signature) -> dict[str, Any]:
    return {
        "inputs": {name: _tensor(spec) for name, spec in signature.inputs.items()},
        "outputs": {name: _tensor(spec) for name, spec in signature.outputs.items()},
        "method_name": signature.method,
        "defaults": signature.defaults,
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    sizes = [{"size": str(-1 if size is None else size), "name": ""} for size in spec.shape or ()]
    return {
        "dtype": spec.wire_dtype,
        "tensor_shape": {"dim": sizes, "unknown_rank": spec.shape is None},
        "name": spec.tensor_name,
    }
