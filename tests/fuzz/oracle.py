"""Sending a case, and what every answer must be: of the error table, as JSON where programs ask, and never a 500."""

import asyncio
import json
from dataclasses import dataclass

from tests.fuzz.grammar import Case

STATUSES = frozenset({200, 204, 304, 400, 401, 403, 404, 405, 413, 415, 417, 429, 501, 503, 504})
"""The error table's, and what HTTP itself asks of a server; never 500."""

PAGES = (b"/ ", b"/?", b"/#", b"/home", b"/assets/", b"/docs")
"""Paths that answer people: their errors may be HTML."""

SILENCE_S = 0.3
"""How long to wait for an answer to what is no whole request before the connection is closed.

Half-closing is no way to wait for one: to the gateway, as to nginx, a client that closes its sending side has left.
"""

PATIENCE_S = 20.0
"""How long an answer to a whole request may take: the request time-out of a busy machine, and some."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back: the statuses and bodies of the answers, and whether the connection was closed without one."""

    statuses: tuple[int, ...]
    last_body: bytes = b""


async def exchange(host: str, port: int, case: Case) -> Heard:
    """Send a case on a connection of its own and read what comes.

    Raises:
        TimeoutError: Neither an answer nor the end of the connection came in time.
    """
    reader, writer = await asyncio.open_connection(host, port, limit=2**20)
    try:
        sending = asyncio.create_task(_send(writer, case.data))
        received = b""
        is_partial = _is_no_request(case.data)
        while True:
            answers = split(received, case.data)
            if answers is not None and _is_whole(case.data, len(answers)):
                break
            try:
                async with asyncio.timeout(SILENCE_S if answers or is_partial else PATIENCE_S):
                    data = await reader.read(2**16)
            except TimeoutError:
                if answers or is_partial:
                    break
                raise
            except ConnectionError:
                data = b""
            if not data:
                break
            received += data
        sending.cancel()
        return _heard(received, case.data)
    finally:
        writer.transport.abort()


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    try:
        for start in range(0, len(data), 2**16):
            writer.write(data[start : start + 2**16])
            await writer.drain()
    except ConnectionError:
        pass  # the gateway may well hang up before it has all


def _is_whole(data: bytes, answers: int) -> bool:
    """Whether so many answers are all that can be expected: several requests may have been sent in one go."""
    return answers >= max(1, data.count(b" HTTP/1.1\r\nHost: gateway"))


def split(received: bytes, sent: bytes) -> list[tuple[bytes, bytes]] | None:
    """Split what came into answers, as heads and bodies; None while it ends in the middle of one."""
    answers: list[tuple[bytes, bytes]] = []
    is_head = sent.startswith(b"HEAD ")
    while received:
        head, end, rest = received.partition(b"\r\n\r\n")
        if not end:
            return None
        if head.startswith(b"HTTP/1.1 100"):
            received = rest
            continue
        length = 0 if is_head else content_length(head)
        if len(rest) < length:
            return None
        answers.append((head, rest[:length]))
        received = rest[length:]
        if is_head and not received.startswith(b"HTTP/"):
            break  # what cannot be parsed is answered with a body whatever the method was
    return answers or None


def content_length(head: bytes) -> int:
    """Return the header's value, 0 without it."""
    for line in head.split(b"\r\n")[1:]:
        name, _, number = line.partition(b":")
        if name.lower() == b"content-length":
            return int(number)
    return 0


def _heard(received: bytes, sent: bytes) -> Heard:
    answers = split(received, sent) or []
    if not answers:
        return Heard(())
    return Heard(tuple(int(head.split(b" ", 2)[1]) for head, _ in answers), answers[-1][1])


def complaint(case: Case, heard: Heard) -> str:
    """Say what is wrong with an answer; empty when nothing is. No answer at all is a connection that was closed."""
    wrong = [status for status in heard.statuses if status not in STATUSES]
    if wrong:
        return f"status {wrong[0]}: {heard.last_body[:200]!r}"
    if not heard.statuses:
        return "" if _is_no_request(case.data) else "closed without an answer"
    status = heard.statuses[-1]
    if status < 400 or case.data.startswith(b"HEAD ") or _is_page(case.data):
        return ""
    try:
        document = json.loads(heard.last_body)
        is_ours = isinstance(document["error"], str) and isinstance(document["details"]["code"], str)
    except (ValueError, KeyError, TypeError):
        is_ours = False
    return "" if is_ours else f"status {status} without our JSON: {heard.last_body[:200]!r}"


def _is_page(data: bytes) -> bool:
    target = data.partition(b" ")[2]
    return target.startswith(PAGES)


def _is_no_request(data: bytes) -> bool:
    """Whether a client could not expect an answer: what it sent ends before the request does."""
    head, end, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not end:
        return True
    lowered = head.lower()
    if b"transfer-encoding" in lowered or b"upgrade" in lowered:
        return True  # chunks may end early; a protocol switch answers with another protocol
    try:
        return len(body) < content_length(head)
    except ValueError:
        return False
