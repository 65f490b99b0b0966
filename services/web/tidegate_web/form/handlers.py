"""`GET` and `POST` of `/` and `/home`: the form, and a prediction of what was typed."""

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from tidegate_web.cards import Cards
from tidegate_web.codec.rest_v1 import select_signature
from tidegate_web.errors import ANSWERS, BadInput, TidegateError
from tidegate_web.form import fields
from tidegate_web.form.pages import CONTENT_SECURITY_POLICY, Failure, Pages
from tidegate_web.form.result import ShownResult, show
from tidegate_web.prediction import DEFAULT_SIGNATURE, ModelRef, Prediction, Predictor
from tidegate_web.request_context import RequestContext

PATHS = ("/", "/home")

TITLES = {
    HTTPStatus.NOT_FOUND: "No such model",
    HTTPStatus.TOO_MANY_REQUESTS: "Very busy",
    HTTPStatus.SERVICE_UNAVAILABLE: "The model server is away",
    HTTPStatus.GATEWAY_TIMEOUT: "The model took too long",
}


class Form:
    """The pages over a Predictor.

    Args:
        predictor: What answers.
        cards: Titles, class names and examples.
        context: Knows each request.
    """

    def __init__(self, predictor: Predictor, cards: Cards, context: RequestContext) -> None:
        self._predictor = predictor
        self._cards = cards
        self._context = context
        self._pages = Pages()

    def routes(self) -> list[web.RouteDef]:
        """Return what to mount."""
        return [
            *(web.get(path, self.get) for path in PATHS),
            *(web.post(path, self.post) for path in PATHS),
            web.get("/assets/tidegate.css", self.stylesheet),
        ]

    async def get(self, request: web.Request) -> web.Response:
        """Show the empty form."""
        return await self._answer(request, request.query.get("model", ""), None)

    async def post(self, request: web.Request) -> web.Response:
        """Predict what was typed, and show the answer above the form."""
        try:
            posted = await request.post()
        except (ValueError, LookupError, web.RequestPayloadError, HttpProcessingError):
            error = BadInput("The form that was sent cannot be read: expected it encoded as its Content-Type says")
            return self._failure(request, error, self._predictor.models()[0], {})
        typed = {name: value for name, value in posted.items() if isinstance(value, str)}
        return await self._answer(request, typed.pop("model", ""), typed)

    async def stylesheet(self, _: web.Request) -> web.Response:
        """Give the pages' style."""
        return web.Response(
            body=self._pages.stylesheet, content_type="text/css", headers={"Cache-Control": "max-age=3600"}
        )

    async def _answer(self, request: web.Request, model: str, typed: Mapping[str, str] | None) -> web.Response:
        model = model or self._predictor.models()[0]
        try:
            return await self._form(request, ModelRef(model), typed)
        except TidegateError as error:
            return self._failure(request, error, model, typed or {})

    async def _form(self, request: web.Request, model: ModelRef, typed: Mapping[str, str] | None) -> web.Response:
        metadata = await self._predictor.metadata(model, self._context.remaining_s(request))
        form = fields.groups(select_signature(metadata, DEFAULT_SIGNATURE))
        if typed is None:
            return _page(self._pages.form(metadata, form))
        form = fields.fill(form, typed)
        try:
            result = await self._predict(request, model, form)
        except BadInput as error:
            marked = fields.mark(form, error)
            if not any(field.error for group in marked for field in group.fields):
                raise  # it is about no field: the page of its own says it
            return _page(self._pages.form(metadata, marked, invalid=True), HTTPStatus.BAD_REQUEST)
        return _page(self._pages.form(metadata, form, result))

    async def _predict(self, request: web.Request, model: ModelRef, form: list[fields.Group]) -> ShownResult:
        prediction = Prediction(model, DEFAULT_SIGNATURE, fields.read(form))
        outcome = await self._predictor.predict(prediction, self._context.remaining_s(request))
        self._context.answered(request, outcome)
        return show(outcome)

    def _failure(
        self, request: web.Request, error: TidegateError, model: str, typed: Mapping[str, str]
    ) -> web.Response:
        answer = ANSWERS[type(error)]
        failure = Failure(
            title=TITLES.get(answer.status, answer.status.phrase),
            text=str(error),
            request_id=self._context.request_id(request),
            away=answer.retry_after_s is not None,
        )
        response = _page(self._pages.failure(failure, model, dict(typed)), answer.status)
        if answer.retry_after_s is not None:
            response.headers["Retry-After"] = str(answer.retry_after_s)
        return response


def _page(html: str, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(
        text=html,
        status=status,
        content_type="text/html",
        headers={
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "Cache-Control": "no-store",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        },
    )
