"""Says again, in TF Serving's words and after TF Serving's order of checks, why a REST request's body is refused.

The order: the body is JSON, the model and its signature are there, the body fits them. For classify and regress, whose
bodies do not depend on the model, it comes last.
"""

import asyncio

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from tidegate_serving.errors import ServingError
from tidegate_serving.in_process import refusal_of
from tidegate_serving.json_parse_errors import parsed
from tidegate_serving.json_refusals import check_examples, check_inputs, signature_name
from tidegate_web.codec.rest_v1 import select_signature
from tidegate_web.errors import BadInput
from tidegate_web.prediction import DEFAULT_SIGNATURE, Predictor
from tidegate_web.request_body import read_body
from tidegate_web.rest_v1.handlers import model_ref

LARGEST = 2**20
"""Bytes of a body that is held against a signature again, which is slow; a larger one keeps the codec's words."""


def in_tf_servings_words(predictor: Predictor, timeout_s: float) -> Middleware:
    """Make what turns the codec's refusals into TF Serving's; what it does not refuse keeps the codec's words.

    Args:
        predictor: Knows the signatures.
        timeout_s: How long it may take to tell one.
    """

    @web.middleware
    async def saying(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except BadInput as error:
            of_the_codec = error.__cause__ is None  # the model's own have TF Serving's words already
            if of_the_codec and request.method == "POST" and "model" in request.match_info:
                await _refuse(request, predictor, timeout_s)
            raise

    return saying


async def _refuse(request: web.Request, predictor: Predictor, timeout_s: float) -> None:
    """Raise what TF Serving would, if it would."""
    model = model_ref(request)
    try:
        body = await read_body(request)
        document = await asyncio.to_thread(parsed, body)
        name = signature_name(document)
        if request.path.endswith(":predict"):
            signature = select_signature(await predictor.metadata(model, timeout_s), name or DEFAULT_SIGNATURE)
            if len(body) <= LARGEST:
                await asyncio.to_thread(check_inputs, document, signature.inputs)
        elif len(body) <= LARGEST:
            await asyncio.to_thread(check_examples, document)
    except ServingError as error:
        raise refusal_of(error) from error
    except (RecursionError, UnicodeError):
        return
