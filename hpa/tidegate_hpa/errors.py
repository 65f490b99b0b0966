"""What can go wrong.

InputError            the file, the state or the cluster's answer cannot be used (exit code 2)
MetricError           a metric that the controller cannot use: it answers without it
ScaleError            the target's scale cannot be read: the controller does nothing this time
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .usage import PodGroups


class InputError(Exception):
    """What was expected where, and what came instead."""


class MetricError(Exception):
    """The controller's error for one metric, in its words.

    Args:
        message: the error.
        groups: how the pods had been classified when it came up; None if they had not been.
    """

    def __init__(self, message: str, groups: PodGroups | None = None) -> None:
        super().__init__(message)
        self.groups = groups

    def within(self, context: str) -> MetricError:
        """Return the same error as the caller reports it: `context: error`."""
        return MetricError(f"{context}: {self}", self.groups)


class ScaleError(Exception):
    """The controller's error for a target whose scale it cannot read.

    Args:
        message: the cause, which the condition FailedGetScale carries.
        returned: the whole error that the reconcile returns.
    """

    def __init__(self, message: str, returned: str) -> None:
        super().__init__(message)
        self.returned = returned
