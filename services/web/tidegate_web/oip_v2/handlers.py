"""Handlers of `/v2`: health, metadata and infer, of the default version, a version or a label."""

import math
from collections.abc import Callable, Mapping, Sequence

from aiohttp import web

from tidegate_web.codec import oip_v2 as codec
from tidegate_web.codec.json_text import dumps
from tidegate_web.codec.oip_request import parse_index, parse_infer
from tidegate_web.codec.rest_v1 import select_signature
from tidegate_web.errors import NotFound, Unavailable
from tidegate_web.oip_v2.compression import accepted_coding
from tidegate_web.oip_v2.repository import is_ready, repository_index
from tidegate_web.prediction import DEFAULT_SIGNATURE, ModelRef, Prediction, Predictor, TensorSpec
from tidegate_web.request_body import read_body
from tidegate_web.request_context import RequestContext

INT64_MAX = 2**63 - 1

JSON_SIZE_HEADER = "Inference-Header-Content-Length"

LEAST_COMPRESSED = 1024
"""Bytes of an answer below which compressing it would save no packet."""

LARGEST_COMPRESSED_IN_PLACE = 32 * 1024
"""Bytes above which an answer is compressed on a thread, so that other requests do not wait for it."""

_MODEL = "/v2/models/{model:[^/]+}"
_CHOICES = ("", "/versions/{version:[^/]+}")


class OipV2:
    """The protocol over a Predictor.

    Args:
        predictor: What answers.
        context: Knows each request.
        server_version: The gateway's own version.
        reasons_not_ready: Says what keeps the gateway from taking requests; nothing when ready.
    """

    def __init__(
        self,
        predictor: Predictor,
        context: RequestContext,
        server_version: str,
        reasons_not_ready: Callable[[], Sequence[str]],
    ) -> None:
        self._predictor = predictor
        self._context = context
        self._server_version = server_version
        self._reasons_not_ready = reasons_not_ready

    def routes(self) -> list[web.RouteDef]:
        """Return what to mount."""
        return [
            web.get("/v2", self.server, allow_head=False),
            web.get("/v2/health/live", self.live, allow_head=False),
            web.get("/v2/health/ready", self.ready, allow_head=False),
            web.post("/v2/repository/index", self.index),
            *(
                route
                for choice in _CHOICES
                for route in (
                    web.post(f"{_MODEL}{choice}/infer", self.infer),
                    web.get(f"{_MODEL}{choice}/ready", self.model_ready, allow_head=False),
                    web.get(f"{_MODEL}{choice}", self.metadata, allow_head=False),
                )
            ),
        ]

    async def server(self, _: web.Request) -> web.Response:
        """Answer `GET /v2`."""
        return _json({"name": "tidegate", "version": self._server_version, "extensions": ["binary_tensor_data"]})

    async def live(self, _: web.Request) -> web.Response:
        """Answer `GET /v2/health/live`."""
        return _json({"live": True})

    async def ready(self, _: web.Request) -> web.Response:
        """Answer `GET /v2/health/ready`: whether the gateway takes requests, as its ops port says."""
        reasons = self._reasons_not_ready()
        if reasons:
            raise Unavailable(f"The gateway is not ready: {', '.join(reasons)}")
        return _json({"ready": True})

    async def model_ready(self, request: web.Request) -> web.Response:
        """Answer `GET …/ready`."""
        model = model_ref(request)
        statuses = await self._predictor.status(model, self._context.remaining_s(request))
        if not any(map(is_ready, statuses)):
            raise Unavailable(f"{model} is not ready")
        return _json({"name": model.name, "ready": True})

    async def metadata(self, request: web.Request) -> web.Response:
        """Answer `GET …`: the tensors of the signature that `infer` asks unless told otherwise."""
        model = model_ref(request)
        metadata = await self._predictor.metadata(model, self._context.remaining_s(request))
        statuses = await self._predictor.status(ModelRef(model.name), self._context.remaining_s(request))
        signature = metadata.signatures.get(DEFAULT_SIGNATURE)
        return _json(
            {
                "name": model.name,
                "versions": [str(version) for version in sorted(s.version for s in statuses if is_ready(s))],
                "platform": "tensorflow_savedmodel",
                "inputs": _tensors(signature.inputs if signature else {}),
                "outputs": _tensors(signature.outputs if signature else {}),
                "parameters": {"signature_names": sorted(metadata.signatures)},
            }
        )

    async def index(self, request: web.Request) -> web.Response:
        """Answer `POST /v2/repository/index`."""
        ready_only = parse_index(await read_body(request))
        return _json(await repository_index(self._predictor, self._context.remaining_s(request), ready_only=ready_only))

    async def infer(self, request: web.Request) -> web.Response:
        """Answer `POST …/infer`."""
        model = self._predictor.route(model_ref(request), self._context.client(request))
        body = parse_infer(await read_body(request), request.headers.get(JSON_SIZE_HEADER))
        metadata = await self._predictor.metadata(model, self._context.remaining_s(request))
        signature = select_signature(metadata, body.signature_name)
        prediction = Prediction(
            model,
            body.signature_name,
            codec.tensors(body, signature),
            signature.batchable,
            codec.wanted(body, signature),
            signature.wire_dtypes,
        )
        timeout_s = min(self._context.remaining_s(request), body.timeout_s or math.inf)
        outcome = await self._predictor.predict(prediction, timeout_s)
        self._context.answered(request, outcome)
        return _infer_response(request, codec.encode(body, model.name, outcome.version, outcome.outputs))


def model_ref(request: web.Request) -> ModelRef:
    """Read the model from the path: a version that is no number is a label.

    Raises:
        NotFound: A version number that no int64 holds.
    """
    name, version = request.match_info["model"], request.match_info.get("version")
    if version is None:
        return ModelRef(name)
    if not (version.isascii() and version.isdecimal()):
        return ModelRef(name, label=version)
    number = int(version) if len(version) <= len(str(INT64_MAX)) else INT64_MAX + 1
    if number > INT64_MAX:
        raise NotFound(f"Servable not found for request: Specific({name}, {version[:25]})")
    return ModelRef(name, version=number)


def _tensors(specs: Mapping[str, TensorSpec]) -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "datatype": codec.datatype(spec),
            # The protocol has no word for any rank
            "shape": [-1] if spec.shape is None else [-1 if size is None else size for size in spec.shape],
        }
        for name, spec in specs.items()
    ]


def _json(document: object) -> web.Response:
    return web.Response(body=dumps(document), content_type="application/json")


def _infer_response(request: web.Request, answer: codec.InferAnswer) -> web.Response:
    response = web.Response(
        body=answer.body,
        content_type="application/json" if answer.json_size is None else "application/octet-stream",
        zlib_executor_size=LARGEST_COMPRESSED_IN_PLACE,
    )
    response.headers["Vary"] = "Accept-Encoding"
    if answer.json_size is not None:
        response.headers[JSON_SIZE_HEADER] = str(answer.json_size)
    coding = accepted_coding(request.headers.get("Accept-Encoding", ""))
    if coding is not None and len(answer.body) >= LEAST_COMPRESSED:
        response.enable_compression(coding)
    return response
