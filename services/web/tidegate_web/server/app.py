"""The application: what is mounted, in which order requests pass."""

from aiohttp import web

from tidegate_web.admission import AdmittedPredictor
from tidegate_web.form.handlers import Form
from tidegate_web.rest_v1.handlers import RestV1
from tidegate_web.server.keys import EXCHANGE
from tidegate_web.server.middlewares import Observer, door, note_outcome, remaining_s, translate_errors
from tidegate_web.settings import Settings

MIB = 2**20


def make_app(settings: Settings, predictor: AdmittedPredictor, observer: Observer) -> web.Application:
    """Put the gateway's HTTP side together over a Predictor."""
    app = web.Application(
        middlewares=[observer.observe, translate_errors, door(predictor)],
        client_max_size=int(settings.max_body_mb * MIB),
    )
    form = Form(
        predictor, settings.default_model, remaining_s, note_outcome, lambda request: request[EXCHANGE].request_id
    )
    app.add_routes(form.routes())
    app.add_routes(RestV1(predictor, remaining_s, note_outcome).routes())
    return app
