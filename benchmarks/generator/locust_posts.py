"""Locust's two kinds of users, posting as fast as they can; started by benchmarks/generator_speed.py."""

import json

from locust import FastHttpUser, HttpUser, constant, task

BODY = json.dumps({"instances": [[5.0, 6.0]]})
HEADERS = {"Content-Type": "application/json"}
PATH = "/v1/models/and_gate:predict"
RIGHT = b'{"predictions": [[0.008, 0.992]]}'


class FastPosts(FastHttpUser):
    """By gevent's client."""

    wait_time = constant(0)

    @task
    def post(self) -> None:
        """Post, and compare the answer with the right one."""
        with self.client.post(PATH, data=BODY, headers=HEADERS, catch_response=True) as response:
            if response.content != RIGHT:
                response.failure("wrong answer")


class PlainPosts(HttpUser):
    """By `requests`."""

    wait_time = constant(0)

    @task
    def post(self) -> None:
        """Post, and compare the answer with the right one."""
        with self.client.post(PATH, data=BODY, headers=HEADERS, catch_response=True) as response:
            if response.content != RIGHT:
                response.failure("wrong answer")
