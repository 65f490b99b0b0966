"""One run of a command: what is deployed, what the user has said, and how a step is taken."""

import fcntl
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from release import cluster, rollout
from release.checkout import Checkout
from release.state import State, StateError


class Session:
    """Holds the folder of what is deployed until it is left; another command waits.

    Args:
        checkout: The files.
        environment: What make was given.
        tell: Writes a line for the user.
    """

    def __init__(
        self, checkout: Checkout, environment: Mapping[str, str], tell: Callable[[str], None] | None = None
    ) -> None:
        self.checkout = checkout
        self.environment = environment
        self.tell = tell or (lambda line: print(line, flush=True))
        self._lock = -1

    def __enter__(self) -> Self:
        self.checkout.own.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.checkout.own, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.tell("Waiting for another command of this checkout to end …")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._lock)

    def given(self, variable: str) -> str:
        """Return what the user has said; empty for nothing."""
        return self.environment.get(variable, "").strip()

    def deployed(self, *, elsewhere: bool = False) -> State:
        """Return what is deployed where kubectl points.

        Args:
            elsewhere: Whether it may be deployed in another place: it is to be deployed here then.

        Raises:
            StateError: It is deployed in another place, or release.yaml cannot be used.
        """
        state, here = self.checkout.deployed(), cluster.place()
        if state.place not in {None, here} and not elsewhere:
            folder = os.path.relpath(self.checkout.own)
            raise StateError(
                f"{folder} is what is deployed in {state.place}, and kubectl points to {here}.\n"
                f"There: kubectl config use-context {state.place.context}, and\n"
                f"       kubectl config set-context --current --namespace={state.place.namespace}\n"
                "Here, apart from it: the same command with OWN=k8s/overlays/another-name\n"
                f"Here instead, for the same models: make deploy FORCE=1, which leaves {state.place} as it is"
            )
        return replace(state, place=here)

    def _wait_s(self) -> float:
        text = self.given("WAIT_S")
        if text and not (text.isascii() and text.isdigit()):
            raise StateError(f"WAIT_S={text}: expected a whole number of seconds")
        return float(text or rollout.WAIT_S)

    def settle(self, state: State, cards: Mapping[str, str] | None = None) -> None:
        """Take a step: write it, apply it, and wait until every pod is as it says.

        Raises:
            ClusterError: They are not in time.
        """
        wait_s = self._wait_s()
        self.checkout.write(state, dict(cards or {}))
        rollout.roll_out(self.checkout.own, self.tell, wait_s)
        cluster.wait_until_agreed(state, self.tell)

    def walk(self, steps: Sequence[State]) -> None:
        """Take steps, each when none of the model servers from before the one before it runs any more.

        Raises:
            ClusterError: One of them fails.
        """
        for step in steps:
            cluster.wait_until_gone(self.tell)
            self.settle(step)
