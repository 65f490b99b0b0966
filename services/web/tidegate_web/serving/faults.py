"""One table from gRPC status codes to the gateway's errors."""

import grpc
import grpc.aio

from tidegate_web.errors import (
    BackendFault,
    BadInput,
    DeadlineExceeded,
    NotFound,
    Overloaded,
    TidegateError,
    Unavailable,
    Unimplemented,
)

FAULTS: dict[grpc.StatusCode, type[TidegateError]] = {
    grpc.StatusCode.OK: BackendFault,  # an error that says OK is the server's fault
    grpc.StatusCode.CANCELLED: Unavailable,
    grpc.StatusCode.UNKNOWN: BackendFault,
    grpc.StatusCode.INVALID_ARGUMENT: BadInput,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: BackendFault,
    grpc.StatusCode.PERMISSION_DENIED: BackendFault,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.FAILED_PRECONDITION: BadInput,
    grpc.StatusCode.ABORTED: BackendFault,
    grpc.StatusCode.OUT_OF_RANGE: BadInput,
    grpc.StatusCode.UNIMPLEMENTED: Unimplemented,
    grpc.StatusCode.INTERNAL: BackendFault,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DATA_LOSS: BackendFault,
    grpc.StatusCode.UNAUTHENTICATED: BackendFault,
}

_WORDS_OF_OUR_OWN: dict[type[TidegateError], str] = {
    # gRPC's texts for these name addresses and connection attempts, which are ours to know
    Unavailable: "No model server can answer now",
    DeadlineExceeded: "The model did not answer in time",
}

_UNKNOWN_LABEL = "Unrecognized servable version label"


def to_error(error: grpc.aio.AioRpcError) -> TidegateError:
    """Turn a failed call into the error that the gateway's callers know; the model server's words are kept."""
    text = error.details() or ""
    kind = NotFound if text.startswith(_UNKNOWN_LABEL) else FAULTS[error.code()]
    return kind(_WORDS_OF_OUR_OWN.get(kind, text))
