"""The application: what is mounted, in which order requests pass."""

from importlib.metadata import version
from pathlib import Path

from aiohttp import web

from tidegate_web.admission import AdmittedPredictor
from tidegate_web.cards import Cards
from tidegate_web.form.handlers import Form
from tidegate_web.oip_v2.handlers import OipV2
from tidegate_web.openapi.handlers import Docs
from tidegate_web.rest_v1.handlers import RestV1
from tidegate_web.server.cors import cors
from tidegate_web.server.lifecycle import Lifecycle
from tidegate_web.server.middlewares import ExchangeContext, Observer, door, translate_errors
from tidegate_web.settings import Settings

MIB = 2**20


def make_app(
    settings: Settings, predictor: AdmittedPredictor, observer: Observer, lifecycle: Lifecycle
) -> web.Application:
    """Put the gateway's HTTP side together over a Predictor."""
    sharing = [cors(settings.cors_origins, settings.client_id_header)] if settings.cors_origins else []
    app = web.Application(
        middlewares=[observer.observe, *sharing, translate_errors, door(predictor)],
        client_max_size=int(settings.max_body_mb * MIB),
    )
    context = ExchangeContext(settings.client_id_header)
    own_version = version("tidegate-web")
    cards = Cards(Path(settings.cards_dir) if settings.cards_dir else None)
    app.add_routes(Form(predictor, cards, context).routes())
    app.add_routes(RestV1(predictor, context).routes())
    app.add_routes(OipV2(predictor, context, own_version, lifecycle.reasons_not_ready).routes())
    app.add_routes(Docs(predictor, cards, context, own_version).routes())
    return app
