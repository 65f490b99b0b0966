"""Everything that can go wrong with a request, and how HTTP says it.

    TidegateError
    ├── BadInput            the request cannot be understood or does not fit the model's signature
    ├── Unauthenticated     a bearer token is asked for, and the request's is missing or wrong
    ├── Forbidden           a browser sent it on behalf of another site
    ├── NotFound            no such model, version, label or path
    ├── BodyTooLarge        the body is over the limit
    ├── UnknownEncoding     the body is encoded in a way that nobody here reads
    ├── Overloaded          no room for another prediction; nothing was done
    ├── Unavailable         no model server can answer now
    ├── DeadlineExceeded    the answer did not come in time; the call was cancelled
    ├── Unimplemented       the model server does not know this kind of call
    └── BackendFault        the model server failed in a way that is not the client's doing

Handlers and what they call raise these; only the error middleware turns them into answers, by `ANSWERS`.
"""

from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in the input.

    Attributes:
        where: Path of the offending value, e.g. `instances[1][0]` or a form field's name.
        expected: What was expected there.
        came: What came instead.
    """

    where: str
    expected: str
    came: str

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, came {self.came}"


class TidegateError(Exception):
    """Root of the tree; its text is safe to show to a client."""


class BadInput(TidegateError):
    """The request cannot be understood or does not fit the model's signature.

    Args:
        message: The whole explanation; by default the problems' own texts.
        problems: What is wrong, and where.
    """

    def __init__(self, message: str = "", problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message or "; ".join(map(str, problems)))
        self.problems = problems


class Unauthenticated(TidegateError):
    """A bearer token is asked for, and the request's is missing or wrong."""


class Forbidden(TidegateError):
    """A browser sent it on behalf of another site."""


class NotFound(TidegateError):
    """No such model, version, label or path."""


class BodyTooLarge(TidegateError):
    """The body is over the limit."""


class UnknownEncoding(TidegateError):
    """The body is encoded in a way that nobody here reads."""


class Overloaded(TidegateError):
    """No room for another prediction; nothing was done."""


class Unavailable(TidegateError):
    """No model server can answer now."""


class DeadlineExceeded(TidegateError):
    """The answer did not come in time; the call was cancelled."""


class Unimplemented(TidegateError):
    """The model server does not know this kind of call."""


class BackendFault(TidegateError):
    """The model server failed in a way that is not the client's doing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How HTTP says one kind of error.

    Attributes:
        status: The HTTP status.
        code: A stable word for programs.
        retry_after_s: Seconds after which another try makes sense; None where it makes none.
    """

    status: HTTPStatus
    code: str
    retry_after_s: int | None = None


ANSWERS: dict[type[TidegateError], Answer] = {
    BadInput: Answer(HTTPStatus.BAD_REQUEST, "bad_input"),
    Unauthenticated: Answer(HTTPStatus.UNAUTHORIZED, "unauthenticated"),
    Forbidden: Answer(HTTPStatus.FORBIDDEN, "forbidden"),
    NotFound: Answer(HTTPStatus.NOT_FOUND, "not_found"),
    BodyTooLarge: Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large"),
    UnknownEncoding: Answer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unknown_encoding"),
    Overloaded: Answer(HTTPStatus.TOO_MANY_REQUESTS, "overloaded", retry_after_s=1),
    Unavailable: Answer(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", retry_after_s=2),
    DeadlineExceeded: Answer(HTTPStatus.GATEWAY_TIMEOUT, "deadline_exceeded"),
    Unimplemented: Answer(HTTPStatus.NOT_IMPLEMENTED, "unimplemented"),
    BackendFault: Answer(HTTPStatus.INTERNAL_SERVER_ERROR, "backend_fault"),
}
