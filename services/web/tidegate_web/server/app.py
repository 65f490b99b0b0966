"""The application: what is mounted, in which order requests pass."""

from functools import partial
from importlib.metadata import version
from pathlib import Path

import jinja2
from aiohttp import web

from tidegate_web.admission import AdmittedPredictor
from tidegate_web.cards import Cards
from tidegate_web.form.handlers import Form
from tidegate_web.oip_v2.handlers import OipV2
from tidegate_web.openapi.handlers import Docs
from tidegate_web.openapi.offered import LiveDocument
from tidegate_web.rest_v1.handlers import RestV1
from tidegate_web.server.auth import Tokens, require_token
from tidegate_web.server.body_budget import BodyBudget
from tidegate_web.server.cors import cors
from tidegate_web.server.lifecycle import Lifecycle
from tidegate_web.server.middlewares import (
    ExchangeContext,
    Observer,
    door,
    error_response,
    show_the_way,
    translate_errors,
)
from tidegate_web.settings import Settings

MIB = 2**20


def make_app(
    settings: Settings,
    predictor: AdmittedPredictor,
    observer: Observer,
    lifecycle: Lifecycle,
    tokens: Tokens | None = None,
) -> web.Application:
    """Put the gateway's HTTP side together over a Predictor; without tokens anybody may ask."""
    sharing = [cors(settings.cors_origins, settings.client_id_header)] if settings.cors_origins else []
    context = ExchangeContext(settings.client_id_header)
    own_version = version("tidegate-web")
    cards = Cards(Path(settings.cards_dir) if settings.cards_dir else None)
    cards.read(predictor.models())
    form = Form(predictor, cards, context)
    auth = [require_token(tokens, error_response, form.refusal)] if tokens is not None else []
    budget = BodyBudget(int(settings.max_bodies_mb * MIB), partial(predictor.count_refusal, "bodies"))
    app = web.Application(
        middlewares=[
            observer.observe,
            *sharing,
            translate_errors,
            *auth,
            show_the_way(form.lost),
            door(predictor),
            budget.hold,
        ],
        client_max_size=int(settings.max_body_mb * MIB),
    )
    document = LiveDocument(predictor, cards, own_version, secured=tokens is not None)
    docs = Docs(document, context, jinja2.PackageLoader("tidegate_web.form"))
    app.add_routes(docs.routes())
    app.add_routes(form.routes())
    app.add_routes(RestV1(predictor, context).routes())
    app.add_routes(OipV2(predictor, context, own_version, lifecycle.reasons_not_ready).routes())
    return app
