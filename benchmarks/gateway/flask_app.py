"""The tutorial's web application: Flask in its own server, which asks TF Serving's REST API with `requests`.

    python flask_app.py PORT REST_PORT

Its log of every request is switched off, as the gateway writes none either.
"""

import logging
import sys

import requests
from flask import Flask, Response, jsonify, request

TIMEOUT_S = 30


def make_app(rest_port: int) -> Flask:
    """Make the application over a model server's REST port."""
    app = Flask(__name__)

    @app.post("/predict/<model>")
    def predict(model: str) -> Response:
        url = f"http://127.0.0.1:{rest_port}/v1/models/{model}:predict"
        answer = requests.post(url, json={"instances": request.get_json()["instances"]}, timeout=TIMEOUT_S)
        answer.raise_for_status()
        return jsonify(predictions=answer.json()["predictions"])

    return app


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    make_app(int(sys.argv[2])).run("127.0.0.1", int(sys.argv[1]), threaded=True)
