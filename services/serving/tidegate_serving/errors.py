"""What the model server answers when it cannot predict: TF Serving's codes and words.

ServingError
├── NotFound             the model or version is not there
├── InvalidArgument      the request does not fit
└── FailedPrecondition   the signature is not there
"""

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
    """The signature is not there."""
