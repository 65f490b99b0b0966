"""Handlers of `/v1/models/…`: predict, metadata and status, of the default version, a version or a label."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from tidegate_web.codec import rest_v1 as codec
from tidegate_web.codec.json_text import dumps
from tidegate_web.errors import NotFound
from tidegate_web.prediction import ModelMetadata, ModelRef, Outcome, Prediction, Predictor, Signature, TensorSpec
from tidegate_web.request_context import RequestContext

INT64_MAX = 2**63 - 1

_MODEL = r"/v1/models/{model:[^/:]+}"
_CHOICES = ("", r"/versions/{version:\d+}", r"/labels/{label:[^/:]+}")


class RestV1:
    """The API over a Predictor.

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
                web.get(f"{_MODEL}{choice}/metadata", self.metadata, allow_head=False),
                web.get(f"{_MODEL}{choice}", self.status, allow_head=False),
            )
        ]

    async def predict(self, request: web.Request) -> web.Response:
        """Answer `POST …:predict`."""
        model, client = model_ref(request), self._context.client(request)
        body, outcome = await predict(
            self._predictor, model, client, await request.read(), lambda: self._context.remaining_s(request)
        )
        self._context.answered(request, outcome)
        return _json(body)

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
    outcome = await predictor.predict(to_prediction(asked, model, metadata), remaining_s())
    return codec.encode_outputs(outcome.outputs, asked.layout), outcome


def to_prediction(asked: codec.PredictBody, model: ModelRef, metadata: ModelMetadata) -> Prediction:
    """Hold a parsed body against the model's signature.

    Raises:
        BadInput: It does not fit.
    """
    signature = codec.select_signature(metadata, asked.signature_name)
    return Prediction(model, asked.signature_name, codec.tensors(asked, signature), signature.batchable)


def model_ref(request: web.Request) -> ModelRef:
    """Read the model from the path.

    Raises:
        NotFound: A version number that no int64 holds.
    """
    names = request.match_info
    version = names.get("version")
    if version is None:
        return ModelRef(names["model"], label=names.get("label"))
    number = int(version) if len(version) <= len(str(INT64_MAX)) else INT64_MAX + 1
    if number > INT64_MAX:
        raise NotFound(f"Servable not found for request: Specific({names['model']}, {version[:25]})")
    return ModelRef(names["model"], version=number)


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
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    sizes = [{"size": str(-1 if size is None else size), "name": ""} for size in spec.shape or ()]
    return {
        "dtype": spec.wire_dtype,
        "tensor_shape": {"dim": sizes, "unknown_rank": spec.shape is None},
        "name": spec.tensor_name,
    }
