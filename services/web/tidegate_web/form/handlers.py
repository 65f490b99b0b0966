"""`GET` and `POST` of `/` and `/home`: the form, and a prediction of what was typed."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TypeVar

from aiohttp import web

from tidegate_web.cards import Cards
from tidegate_web.codec.values import describe
from tidegate_web.errors import ANSWERS, BadInput, Problem, TidegateError
from tidegate_web.form import curl, failures, fields, reading
from tidegate_web.form.assets import Assets
from tidegate_web.form.card_review import CardReview
from tidegate_web.form.choice import (
    NAMES,
    Versions,
    callable_here,
    choose_signature,
    offered_signatures,
    read_choice,
)
from tidegate_web.form.examples import ExampleShelf, ShownExample, judge
from tidegate_web.form.origin import refuse_other_sites
from tidegate_web.form.pages import HEADERS, Answered, FormPage, Pages, Pickers
from tidegate_web.form.posted import Posted, Upload, read_posted
from tidegate_web.form.result import show
from tidegate_web.prediction import Array, ModelRef, Prediction, Predictor, Signature
from tidegate_web.request_context import RequestContext

Item = TypeVar("Item")

PATHS = ("/", "/home")


@dataclass(frozen=True, slots=True)
class Subject:
    """What one request is about: the model that answers it, one of its signatures, and the page so far."""

    model: ModelRef
    signature: Signature
    page: FormPage


class Form:
    """The pages over a Predictor.

    Args:
        predictor: What answers.
        cards: Titles, class names and examples.
        context: Knows each request.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        predictor: Predictor,
        cards: Cards,
        context: RequestContext,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._predictor = predictor
        self._cards = cards
        self._context = context
        self._clock = clock
        self._versions = Versions(predictor, clock)
        self._shelf = ExampleShelf()
        self._review = CardReview(cards)
        self._assets = Assets()
        self._pages = Pages(self._assets)
        self._one_picture = asyncio.Semaphore(1)  # decoding takes memory

    def routes(self) -> list[web.RouteDef]:
        """Return what to mount."""
        return [
            *(web.get(path, self.get) for path in PATHS),
            *(web.post(path, self.post) for path in PATHS),
            self._assets.route(),
        ]

    async def get(self, request: web.Request) -> web.Response:
        """Show the form: empty, or filled with an example."""
        try:
            subject = await self._subject(request, request.query)
            return _page(self._pages.form(_with_example(subject.page, request.query)))
        except TidegateError as error:
            return self._failure(request, error, request.query, {})

    async def post(self, request: web.Request) -> web.Response:
        """Predict what was typed, and show the answer beside the form."""
        started = self._clock()
        posted = Posted()
        try:
            refuse_other_sites(request.headers, request.host)
            posted = await read_posted(request)
            return await self._predict(request, posted, started)
        except TidegateError as error:
            typed = {name: text for name, text in posted.texts.items() if name not in NAMES}
            return self._failure(request, error, {**request.query, **posted.texts}, typed)

    def refusal(self, request: web.Request, error: TidegateError) -> web.Response:
        """Show an error that came before any form was read."""
        return self._failure(request, error, request.query, {})

    def lost(self, request: web.Request) -> web.Response:
        """Show that there is no such page, and which there are."""
        shown = failures.lost(request.path, self._context.request_id(request))
        return _page(self._pages.failure(shown), HTTPStatus.NOT_FOUND)

    async def _predict(self, request: web.Request, posted: Posted, started: float) -> web.Response:
        subject = await self._subject(request, {**request.query, **posted.texts})
        page = replace(subject.page, groups=fields.fill(subject.page.groups, posted.texts))
        example = _find(page.examples, posted.texts.get("example", ""))
        try:
            tensors = await self._read(page, posted.files)
            prediction = Prediction(
                subject.model,
                page.pickers.signature,
                tensors,
                subject.signature.batchable,
                wire_dtypes=subject.signature.wire_dtypes,
            )
            outcome = await self._predictor.predict(prediction, self._context.remaining_s(request))
        except BadInput as error:
            page = replace(page, groups=fields.mark(page.groups, error))
            if not page.wrong:
                page = replace(page, groups=fields.blame(page.groups, failures.words(error)), refused=True)
            if not page.wrong:
                raise  # it is about no field: the page of its own says it
            return _page(self._pages.form(page), HTTPStatus.BAD_REQUEST)
        self._context.answered(request, outcome)
        result = show(outcome, page.card.class_names, self._clock() - started)
        asked = page.pickers.chosen.model
        answered = Answered(
            result=result,
            command=curl.command(prediction, asked, curl.origin(request.scheme, request.host), request.client_max_size),
            judgement=None if example is None else judge(example, tensors, result.best, outcome.outputs),
        )
        groups = reading.write_pictures(page.groups, tensors)
        number = 0 if example is None else example.number
        return _page(self._pages.form(replace(page, groups=groups, example=number, answered=answered)))

    async def _read(self, page: FormPage, files: Mapping[str, Upload]) -> dict[str, Array]:
        if not files:
            return reading.read(page.groups, files)
        async with self._one_picture:
            return await asyncio.to_thread(reading.read, page.groups, files)

    async def _subject(self, request: web.Request, texts: Mapping[str, str]) -> Subject:
        """Find the model and signature that are asked for, and what else there is."""
        chosen = read_choice(texts, self._predictor.models()[0])
        model = self._predictor.route(chosen.model, self._context.client(request))
        metadata = await self._predictor.metadata(model, self._context.remaining_s(request))
        name, signature = choose_signature(metadata, chosen.signature)
        card = self._cards.card(model.name)
        self._review.review(card, metadata)
        pickers = Pickers(
            chosen=chosen,
            models=_including(self._predictor.models(), model.name),
            versions=_including(
                await self._versions.available(model.name, self._context.remaining_s(request)), chosen.model.version
            ),
            signatures=[(key, callable_here(metadata.signatures[key])) for key in offered_signatures(metadata)],
            signature=name,
            version=metadata.version,
        )
        page = FormPage(
            card=card,
            pickers=pickers,
            groups=fields.groups(signature, card),
            examples=self._shelf.examples(model.name, card, name, signature),
            example=0,
            request_id=self._context.request_id(request),
            api_path=curl.path(chosen.model),
        )
        return Subject(model, signature, page)

    def _failure(
        self, request: web.Request, error: TidegateError, texts: Mapping[str, str], typed: dict[str, str]
    ) -> web.Response:
        answer = ANSWERS[type(error)]
        shown = failures.failure(error, self._context.request_id(request), texts, typed)
        response = _page(self._pages.failure(shown), answer.status)
        if answer.retry_after_s is not None:
            response.headers["Retry-After"] = str(answer.retry_after_s)
        return response


def _with_example(page: FormPage, query: Mapping[str, str]) -> FormPage:
    """Fill the form with the example that a link names.

    Raises:
        BadInput: There is none of that number.
    """
    number = query.get("example", "")
    if not number:
        return page
    example = _find(page.examples, number)
    if example is None:
        expected = f"the number of one of its {len(page.examples)} examples" if page.examples else "no example"
        raise BadInput(problems=(Problem("example", expected, describe(number)),))
    return replace(page, groups=reading.write(page.groups, example.tensors), example=example.number)


def _find(examples: Sequence[ShownExample], number: str) -> ShownExample | None:
    return next((example for example in examples if str(example.number) == number), None)


def _including(offered: Sequence[Item], chosen: Item | None) -> Sequence[Item]:
    """What is offered, and what was chosen without being offered."""
    return offered if chosen is None or chosen in offered else (*offered, chosen)


def _page(html: str, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    # A text that came as JSON may hold half a surrogate pair, which UTF-8 cannot
    body = html.encode(errors="replace")
    return web.Response(body=body, status=status, content_type="text/html", charset="utf-8", headers=HEADERS)
