"""Starts the arrivals of an open loop when all users are there: in this process, or shared out among workers."""

from collections.abc import Mapping
from typing import Any

from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

import arrivals
import run_state
from settings import Load

MESSAGE = "tidegate_arrivals"


def due_ns(share: Mapping[str, Any]) -> list[int]:
    """Work out one worker's arrivals: every n-th of the run's.

    Args:
        share: `counts`, `process` and `seed` of the run; which (`share`, from 0) of how many (`of`).

    Returns:
        When each is due, in nanoseconds since the start, in order.
    """
    every = arrivals.intended_ns(share["counts"], process=share["process"], seed=share["seed"])
    return every[share["share"] :: share["of"]]


def install(environment: Environment, load: Load | None, seed: int) -> None:
    """Listen for what starts the arrivals.

    Args:
        environment: Of the master, a worker, or a Locust without workers.
        load: The run's; a worker is told by its master and needs none.
        seed: Of the arrivals.
    """
    runner = environment.runner
    if isinstance(runner, WorkerRunner):

        def receive(msg: Any, **_: object) -> None:  # noqa: ANN401 Locust's message
            state = run_state.of(environment)
            arrivals_ns = due_ns(msg.data)
            state.get_ready()
            state.begin(arrivals_ns)

        runner.register_message(MESSAGE, receive)
        return
    if load is None or load.process is None:
        return
    plan: dict[str, Any] = {
        "counts": arrivals.counts(load.rates, process=load.process, seed=seed),
        "process": load.process,
        "seed": seed,
    }

    def begin(**_: object) -> None:
        state = run_state.of(environment)
        if state.begun:  # a worker joined or left
            return
        if isinstance(runner, MasterRunner):
            names = sorted((client.id for client in runner.clients.running), key=runner.get_worker_index)
            for number, name in enumerate(names):
                runner.send_message(MESSAGE, {**plan, "share": number, "of": len(names)}, client_id=name)
            state.begin([], plan["counts"])
        else:
            state.get_ready()
            state.begin(due_ns({**plan, "share": 0, "of": 1}), plan["counts"])

    environment.events.spawning_complete.add_listener(begin)
