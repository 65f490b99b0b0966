"""What Locust's page lacks: a tab that tells who began and ceased to answer, and a page of live charts behind it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from flask import Blueprint, Flask, Response, request
from locust.env import Environment
from locust.runners import MasterRunner, Runner

import run_state
from ledger import columns, sightings
from settings import Settings

if TYPE_CHECKING:
    from argparse import Namespace

    from locust.web import WebUI

PAGE = Path(__file__).with_name("live.html")
TAB = "tidegate"
TAB_TITLE = "Who answered"
REPORT_S = 4
"""Workers report every three seconds; what is younger than this is not complete."""

LINK = '<a href="tidegate" style="{}">Arrivals, violations and pods, live &rarr;</a>'.format(
    "position:fixed;bottom:1rem;left:1rem;z-index:9;padding:.5rem .9rem;border-radius:1rem;"
    "background:#15803d;color:#fff;font:14px system-ui,sans-serif;text-decoration:none"
)


def picture(environment: Environment, settings: Settings) -> dict[str, Any]:
    """Lay out what the page draws."""
    state, load, runner = run_state.of(environment), settings.load, cast("Runner", environment.runner)
    elapsed = state.elapsed_s()
    complete = int(elapsed) - REPORT_S if isinstance(runner, MasterRunner) and state.under_way else elapsed
    seconds = state.ledger.seconds
    length = max(seconds, default=-1) + 1
    if state.under_way:
        length = max(0, min(length, int(complete)))
    return {
        "state": runner.state,
        "loop": f"open loop, {load.process} arrivals" if load and load.process else "closed loop",
        "open": bool(load and load.process),
        "shape": load.shape if load else "",
        "model": settings.model,
        "slo_ms": settings.slo_ms,
        "elapsed_s": elapsed,
        "users": runner.user_count,
        "planned": [round(rate, 2) for rate in load.rates] if load and load.process else [],
        "never_due": state.ledger.never_due(state.planned, length),
        "columns": columns(seconds, length),
        "sightings": [
            {"second": seen.second, "kind": seen.kind, "name": seen.name, "what": seen.what}
            for seen in sightings(seconds)
        ],
    }


def install(environment: Environment, settings: Settings) -> None:
    """Add the tab, the page and a link to it to Locust's web server."""
    ui, options = cast("WebUI", environment.web_ui), cast("Namespace", environment.parsed_options)
    app = cast("Flask", ui.app)
    prefix = (options.web_base_path or "").rstrip("/")
    ours = Blueprint("tidegate", __name__, url_prefix=prefix or None)

    @ours.route("/tidegate")
    @ui.auth_required_if_enabled
    def page() -> Response:
        return Response(PAGE.read_bytes(), mimetype="text/html")

    @ours.route("/tidegate.json")
    @ui.auth_required_if_enabled
    def figures() -> Response:
        return Response(json.dumps(picture(environment, settings)), mimetype="application/json")

    def extend(response: Response) -> Response:
        if response.status_code != 200:  # noqa: PLR2004 OK
            return response
        if request.path == f"{prefix}/stats/requests":
            rows = [
                {"time": f"{seen.second} s", "who": seen.kind, "identity": seen.name, "what": seen.what}
                for seen in sightings(run_state.of(environment).ledger.seconds)
            ]
            response.set_data(json.dumps({**response.get_json(), "extended_stats": [{"key": TAB, "data": rows}]}))
        elif request.path == f"{prefix}/" and response.mimetype == "text/html":
            response.set_data(response.get_data(as_text=True).replace("</body>", f"{LINK}</body>"))
        return response

    ui.template_args["extended_tabs"] = [{"title": TAB_TITLE, "key": TAB}]
    ui.template_args["extended_tables"] = [
        {
            "key": TAB,
            "structure": [
                {"key": "time", "title": "Time of the run"},
                {"key": "who", "title": "Who"},
                {"key": "identity", "title": "Name"},
                {"key": "what", "title": "What"},
            ],
        }
    ]
    app.after_request(extend)
    app.register_blueprint(ours)
