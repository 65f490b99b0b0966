"""Ports for what a test starts itself."""

import random
import socket

LOWEST, HIGHEST = 15_000, 29_999
"""Below what Linux gives to outgoing connections (32768 up) and Kubernetes to nodes' ports (30000 up), so that neither
takes one between its choice and its use."""

_given: set[int] = set()


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nobody listens on and that this process has not been given before.

    By chance, so that test processes side by side do not choose the same ones in turn.
    """
    chance = random.SystemRandom()
    while True:
        port = chance.randint(LOWEST, HIGHEST)
        if port in _given:
            continue
        _given.add(port)
        with socket.socket() as trial:
            try:
                trial.bind((host, port))
            except OSError:
                continue
        return port
