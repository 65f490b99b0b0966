"""Sends rows to two versions in turn, over one connection, and keeps what they say and how long they take."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Self
from urllib.parse import quote

import aiohttp

from answers import rows_of
from compare.comparison import Answer
from samples import Sample
from signatures import Signature, SignatureError, read_signatures

WARM_UP = 10
"""Requests to each version before times count: the first ones of a version may trace and allocate."""

TRIES = 5
LONGEST_WAIT_S = 5.0
"""A busy gateway says when to come again; it is believed up to this."""

LOST = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError)
"""A connection that was there and is no longer: gateways close theirs at an age, and when they go."""

TIMEOUT = aiohttp.ClientTimeout(total=60)
BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


class ReplayError(Exception):
    """The versions cannot be asked; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A version by its number, or by a label."""

    model: str
    text: str

    @property
    def path(self) -> str:
        """Return where it answers."""
        kind = "versions" if self.text.isdigit() else "labels"
        return f"/v1/models/{quote(self.model, safe='')}/{kind}/{quote(self.text, safe='')}"

    def __str__(self) -> str:
        return f"{'version' if self.text.isdigit() else 'label'} {self.text}"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer over HTTP.

    Attributes:
        status: Its status.
        document: Its JSON.
        version: The version that made it, as the gateway says.
        took_ms: From before the request was written until the answer had been read.
    """

    status: int
    document: object
    version: str
    took_ms: float

    @property
    def error(self) -> str:
        """Return the gateway's words for what went wrong."""
        said = self.document.get("error") if isinstance(self.document, dict) else self.document
        return " ".join(str(said).split())[:300]


@dataclass(slots=True)
class Replayed:
    """What one version did.

    Attributes:
        answers: To each row, in order.
        times_ms: Of the requests that count, errors left out.
        versions: Those that answered: more than one where a label moved meanwhile.
    """

    answers: list[Answer] = field(default_factory=list)
    times_ms: list[float] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)


class Gateway:
    """A gateway, over a single connection: both versions are asked by way of the same pod.

    Args:
        host: Such as http://127.0.0.1:8080.
        token: A bearer token, where it asks for one.
    """

    def __init__(self, host: str, token: str = "") -> None:
        self._host = host.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connector = aiohttp.TCPConnector(limit=1)
        self._session = aiohttp.ClientSession(connector=connector, timeout=TIMEOUT, headers=headers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def signatures(self, reference: Reference) -> dict[str, Signature]:
        """Ask for a version's signatures.

        Raises:
            ReplayError: It is not there, or says something else.
        """
        reply = await self.ask("GET", f"{reference.path}/metadata")
        if reply.status == HTTPStatus.NOT_FOUND:
            raise ReplayError(f"{reference.model} has no {reference} at {self._host}: {await self._there(reference)}")
        if reply.status != HTTPStatus.OK:
            raise ReplayError(f"{reference}: expected its metadata, came {reply.status}: {reply.error}")
        try:
            return read_signatures(reply.document)
        except SignatureError as error:
            raise ReplayError(f"{reference}: {error}; is {self._host} a Tidegate?") from None

    async def _there(self, reference: Reference) -> str:
        """Say which versions there are."""
        reply = await self.ask("GET", f"/v1/models/{quote(reference.model, safe='')}")
        if reply.status != HTTPStatus.OK or not isinstance(reply.document, dict):
            return "nor any other version of it. Is the name right?"
        found = [
            f"{status['version']} ({status['state']})" for status in reply.document.get("model_version_status", ())
        ]
        hint = "" if reference.text.isdigit() else " Labels stand in the model servers' models.config."
        return f"its versions are {', '.join(found)}.{hint}"

    async def ask(self, method: str, path: str, body: str | None = None) -> Reply:
        """Ask; again where the gateway is busy, or closes the connection at the very moment.

        Raises:
            ReplayError: Nobody answers, the gateway stays busy, or wants a token.
        """
        for further in reversed(range(TRIES)):
            try:
                reply, wait_s = await self._once(method, path, body)
            except TimeoutError:
                raise ReplayError(f"{self._host}{path} did not answer within {TIMEOUT.total:g} s") from None
            except (aiohttp.ClientError, ValueError) as error:
                if further and isinstance(error, LOST):
                    continue
                raise ReplayError(f"{self._host} does not answer: {error}. Another address: HOST=http://…") from None
            if reply.status == HTTPStatus.UNAUTHORIZED:
                raise ReplayError(f"{self._host} asks for a bearer token: TOKEN_FILE=file")
            if reply.status not in BUSY:
                return reply
            if further:
                await asyncio.sleep(wait_s)
        raise ReplayError(f"{self._host}{path} is busy ({reply.status}: {reply.error}); try again later")

    async def _once(self, method: str, path: str, body: str | None) -> tuple[Reply, float]:
        started = time.perf_counter()
        headers = {"Content-Type": "application/json"} if body is not None else None
        async with self._session.request(
            method, f"{self._host}{path}", data=body, headers=headers, allow_redirects=False
        ) as response:
            text = await response.text()
        took_ms = 1e3 * (time.perf_counter() - started)
        try:
            document: object = json.loads(text)
        except ValueError:
            document = text
        asked = response.headers.get("Retry-After", "")
        wait_s = min(float(asked), LONGEST_WAIT_S) if asked.isdigit() else 1.0
        version = response.headers.get("Tidegate-Model-Version", "")
        return Reply(response.status, document, version, took_ms), wait_s


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask.

    Attributes:
        references: The old version and the new one.
        signature: Of the requests.
        samples: Rows; they are sent again from the start until enough requests are timed.
        requests: How many to time for each version.
    """

    references: tuple[Reference, Reference]
    signature: Signature
    samples: Sequence[Sample]
    requests: int


async def replay(gateway: Gateway, plan: Plan, progress: Callable[[int, int], None]) -> tuple[Replayed, Replayed]:
    """Ask both versions for each row, one row a request, the two taking turns at being first.

    Args:
        gateway: Whom to ask.
        plan: What to ask.
        progress: Told after each pair how many are done, of how many.

    Raises:
        ReplayError: See `Gateway.ask`; a label moved; or both versions refuse every row.
    """
    references, samples, signature = plan.references, plan.samples, plan.signature
    bodies = [signature.body([json.dumps(sample.row)]) for sample in samples]
    done = (Replayed(), Replayed())
    pairs = max(len(samples), WARM_UP + plan.requests)
    for number in range(pairs):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            reply = await gateway.ask("POST", f"{references[side].path}:predict", bodies[number % len(bodies)])
            answer = _answer(reply, signature)
            if number < len(samples):
                done[side].answers.append(answer)
            if not answer.problem:
                done[side].versions.add(reply.version)
                if number >= WARM_UP:
                    done[side].times_ms.append(reply.took_ms)
        progress(number + 1, pairs)
        if number == len(samples) - 1:
            _check_answered(done, references)
    for reference, replayed in zip(references, done, strict=True):
        if len(replayed.versions) > 1:
            moved = ", ".join(sorted(replayed.versions))
            raise ReplayError(f"{reference} moved meanwhile (versions {moved} answered): compare them by number")
    return done


def _answer(reply: Reply, signature: Signature) -> Answer:
    if reply.status != HTTPStatus.OK:
        return Answer(problem=f"{reply.status}: {reply.error}")
    found = rows_of(reply.document, signature, 1)
    return Answer(problem=found) if isinstance(found, str) else Answer(found[0])


def _check_answered(done: tuple[Replayed, Replayed], references: tuple[Reference, Reference]) -> None:
    if all(answer.problem for replayed in done for answer in replayed.answers):
        first = done[0].answers[0].problem
        raise ReplayError(f"both versions refuse every row; {references[0]} says {first}\nOther rows: SAMPLES=file")
