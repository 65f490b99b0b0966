"""The application: what is mounted, in which order requests pass."""

from pathlib import Path

from aiohttp import web

from tidegate_web.admission import AdmittedPredictor
from tidegate_web.cards import Cards
from tidegate_web.form.handlers import Form
from tidegate_web.rest_v1.handlers import RestV1
from tidegate_web.server.cors import cors
from tidegate_web.server.middlewares import ExchangeContext, Observer, door, translate_errors
from tidegate_web.settings import Settings

MIB = 2**20


def make_app(settings: Settings, predictor: AdmittedPredictor, observer: Observer) -> web.Application:
    """Put the gateway's HTTP side together over a Predictor."""
    sharing = [cors(settings.cors_origins, settings.client_id_header)] if settings.cors_origins else []
    app = web.Application(
        middlewares=[observer.observe, *sharing, translate_errors, door(predictor)],
        client_max_size=int(settings.max_body_mb * MIB),
    )
    context = ExchangeContext(settings.client_id_header)
    cards = Cards(Path(settings.cards_dir) if settings.cards_dir else None)
    app.add_routes(Form(predictor, cards, context).routes())
    app.add_routes(RestV1(predictor, context).routes())
    return app
