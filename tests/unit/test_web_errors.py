"""The error tree and its tables are complete."""

import grpc

from tidegate_web import errors
from tidegate_web.errors import ANSWERS, TidegateError
from tidegate_web.serving.faults import FAULTS


def leaves(kind: type[TidegateError]) -> set[type[TidegateError]]:
    below = kind.__subclasses__()
    return set().union(*map(leaves, below)) if below else {kind}


def test_every_error_has_its_answer():
    assert set(ANSWERS) == leaves(TidegateError)


def test_every_error_is_drawn_in_the_tree():
    drawn = errors.__doc__ or ""
    assert all(f"── {kind.__name__} " in drawn for kind in leaves(TidegateError))


def test_every_grpc_code_has_its_error():
    assert set(FAULTS) == set(grpc.StatusCode)


def test_only_what_may_be_tried_again_says_when():
    retryable = {kind.__name__ for kind, answer in ANSWERS.items() if answer.retry_after_s is not None}
    assert retryable == {"Overloaded", "Unavailable"}
