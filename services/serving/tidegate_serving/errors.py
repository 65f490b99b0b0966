"""What the model server answers when it cannot predict: TF Serving's codes and words.

ServingError
├── NotFound             the model or version is not there
├── InvalidArgument      the request does not fit
├── FailedPrecondition   the signature is not there, or a label's version is not available
├── Unimplemented        the request asks for what TF Serving does not do either
├── Unavailable          no room in the queue of a batch
├── Unknown              a model of a new configuration did not become available
└── Internal             the model's own signature is not what TF Serving asks for
"""

import grpc

LONGEST_TEXT = 1024
"""TF Serving cuts its texts at this many bytes."""

CUT = b"...TRUNCATED"


class ServingError(Exception):
    """Root of the tree; its text goes to the client."""

    @property
    def text(self) -> str:
        """The message, cut as TF Serving cuts it."""
        encoded = str(self).encode()
        if len(encoded) <= LONGEST_TEXT:
            return str(self)
        return (encoded[: LONGEST_TEXT - len(CUT)].decode(errors="ignore").encode() + CUT).decode()


class NotFound(ServingError):
    """The model or version is not there."""


class InvalidArgument(ServingError):
    """The request does not fit the model."""


class FailedPrecondition(ServingError):
    """The signature is not there, or a label's version is not available."""


class Unimplemented(ServingError):
    """TF Serving does not do that either."""


class Unavailable(ServingError):
    """No room for the request now."""


class Unknown(ServingError):
    """A model did not become available."""


class Internal(ServingError):
    """The model's signature cannot be called."""


CODES: dict[type[ServingError], grpc.StatusCode] = {
    NotFound: grpc.StatusCode.NOT_FOUND,
    InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    Unimplemented: grpc.StatusCode.UNIMPLEMENTED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
    Unknown: grpc.StatusCode.UNKNOWN,
    Internal: grpc.StatusCode.INTERNAL,
}
"""What each is on the wire."""
