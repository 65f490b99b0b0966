"""Reads as much of an HTTP/1.1 response as a generator needs (RFC 9112)."""

MAX_HEAD = 64 * 1024
MAX_BODY = 64 * 1024 * 1024
"""Longer ones are no answer, so that no server can fill the generator's memory."""

NO_CONTENT, NOT_MODIFIED = 204, 304
FIRST_FINAL = 200
SHORTEST = 9
"""Characters before the status: `HTTP/1.1 `."""

Complete = tuple[int, bytes, bytes]
"""Status; head in small letters; body."""


class MalformedError(Exception):
    """What came is no HTTP/1.1 response, or one too long; the text says what it is instead."""


def parse(received: bytes | bytearray) -> Complete | int:
    """Read a response.

    Args:
        received: All that came since the request was sent.

    Returns:
        The response, or how many bytes there must be before it is worth asking again.

    Raises:
        MalformedError: This will never be a response.
    """
    end = received.find(b"\r\n\r\n")
    if end < 0:
        _refuse_early(received)
        return len(received) + 1
    head = bytes(received[:end]).lower()
    digits = head[SHORTEST : SHORTEST + 3]
    if not head.startswith((b"http/1.1 ", b"http/1.0 ")) or not digits.isdigit():
        raise MalformedError(f"expected an HTTP/1.1 status line, came {head[:60]!r}")
    status, start = int(digits), end + 4
    if status < FIRST_FINAL:
        rest = parse(received[start:])
        return rest + start if isinstance(rest, int) else rest
    if status in {NO_CONTENT, NOT_MODIFIED}:
        stop = start
    elif length := field(head, b"\r\ncontent-length:"):
        if not length.isdigit() or int(length) > MAX_BODY:
            raise MalformedError(f"expected a body of up to {MAX_BODY} bytes, came Content-Length {length[:20]!r}")
        stop = start + int(length)
    elif field(head, b"\r\ntransfer-encoding:") == b"chunked":
        return _chunked(status, head, received, start)
    else:
        raise MalformedError("expected Content-Length or chunks, came neither")
    if len(received) != stop:
        return _wait_for(stop, received)
    return status, head, bytes(received[start:stop])


def field(head: bytes, name: bytes) -> bytes:
    """Return a header's value; empty without one.

    Args:
        head: In small letters, without the empty line.
        name: As it stands in the head, from the line break to the colon.
    """
    at = head.find(name)
    if at < 0:
        return b""
    at += len(name)
    stop = head.find(b"\r", at)
    return (head[at:] if stop < 0 else head[at:stop]).strip()


def closes(head: bytes) -> bool:
    """Whether the server closes the connection after this response."""
    said = field(head, b"\r\nconnection:")
    return said == b"close" if said else head.startswith(b"http/1.0")


def _refuse_early(received: bytes | bytearray) -> None:
    if len(received) > MAX_HEAD:
        raise MalformedError(f"expected a head of up to {MAX_HEAD} bytes, came more")
    if not b"HTTP/1.".startswith(bytes(received[:7])):
        raise MalformedError(f"expected HTTP/1.1, came {bytes(received[:60])!r}")


def _wait_for(stop: int, received: bytes | bytearray) -> int:
    if len(received) > stop:
        raise MalformedError("expected the end of the answer, came more bytes")
    return stop


def _chunked(status: int, head: bytes, received: bytes | bytearray, at: int) -> Complete | int:
    """Join chunks; what extensions and trailers say is not for us."""
    chunks: list[bytes | bytearray] = []
    total = 0
    while True:
        line = _line(received, at)
        if line is None:
            return len(received) + 1
        at += len(line) + 2
        size = _size(line, MAX_BODY - total)
        if not size:
            break
        if len(received) < at + size + 2:
            return at + size + 2
        chunks.append(received[at : at + size])
        total += size
        at += size
        if _line(received, at) != b"":
            raise MalformedError("expected a chunk's end, came more bytes")
        at += 2
    while (line := _line(received, at)) != b"":
        if line is None:
            return len(received) + 1
        at += len(line) + 2
    if len(received) != at + 2:
        return _wait_for(at + 2, received)
    return status, head, b"".join(chunks)


def _line(received: bytes | bytearray, at: int) -> bytes | None:
    """Return a line without its end; None while it has none."""
    end = received.find(b"\r\n", at, at + MAX_HEAD)
    if end < 0 and len(received) - at >= MAX_HEAD:
        raise MalformedError("expected a line of a chunked body, came one without end")
    return None if end < 0 else bytes(received[at:end])


def _size(line: bytes, most: int) -> int:
    digits = line.partition(b";")[0].strip()
    try:
        size = int(digits, 16)
    except ValueError:
        size = -1
    if not 0 <= size <= most:
        raise MalformedError(f"expected chunks of up to {MAX_BODY} bytes together, came size {digits[:20]!r}")
    return size
