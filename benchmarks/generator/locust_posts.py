"""Locust's two kinds of users, posting as fast as they can; started by benchmarks/generator_speed.py."""

import json

from locust import FastHttpUser, HttpUser, constant

BODY = json.dumps({"instances": [[5.0, 6.0]]})
HEADERS = {"Content-Type": "application/json"}
PATH = "/v1/models/and_gate:predict"
RIGHT = b'{"predictions": [[0.008, 0.992]]}'


def post(user: FastHttpUser | HttpUser) -> None:
    """Post, and compare the answer with the right one."""
    with user.client.post(PATH, data=BODY, headers=HEADERS, catch_response=True) as response:
        if response.content != RIGHT:
            response.failure("wrong answer")


class FastPosts(FastHttpUser):
    """By gevent's client."""

    wait_time = constant(0)
    tasks = [post]  # noqa: RUF012 Locust wants a list


class PlainPosts(HttpUser):
    """By `requests`."""

    wait_time = constant(0)
    tasks = [post]  # noqa: RUF012 Locust wants a list
