"""The body of a posted form: texts and files by field name, in bounded memory and without temporary files.

aiohttp's own `Request.post` writes files of 1 MiB and more to a disk that a pod with a read-only root does not have,
and relies on the server to decode Content-Encoding, which ours leaves to `request_body`.
"""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http import HttpProcessingError

from tidegate_web.errors import BadInput, BodyTooLarge, UnknownEncoding
from tidegate_web.request_body import read_body

FORM_TYPES = ("application/x-www-form-urlencoded", "application/octet-stream")
"""The second is aiohttp's word for none."""

MAX_FILE_BYTES = 6 * 2**20
"""A photograph of a telephone fits, and the default limit of a body is 8 MiB."""

MAX_FIELDS = 1000
"""aiohttp's own limit; no model that people type rows for has so many inputs."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file.

    Attributes:
        data: Its bytes; none where it is too large.
        too_large: Whether it has more than MAX_FILE_BYTES.
    """

    data: bytes
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class Posted:
    """What a form sent, by field name."""

    texts: dict[str, str] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)


async def read_posted(request: web.Request) -> Posted:
    """Read the body.

    Raises:
        BadInput: It is no form, is not encoded as it says, is not of its charset, or has a field twice.
        UnknownEncoding: Its Content-Encoding is none that we read; parts may have none.
        BodyTooLarge: It is over the application's limit, or has too many fields.
    """
    posted = Posted()
    try:
        if request.content_type == "multipart/form-data":
            await _read_multipart(request, posted)
        else:
            await _read_pairs(request, posted)
    except (ValueError, LookupError, RuntimeError, AssertionError, HttpProcessingError, web.RequestPayloadError):
        raise BadInput("The form that was sent cannot be read: expected it encoded as its Content-Type says") from None
    except web.HTTPRequestEntityTooLarge:
        limit = f"{request.client_max_size} bytes and {MAX_FIELDS} fields"
        raise BodyTooLarge(f"The form is larger than the limit of {limit}") from None
    return posted


async def _read_pairs(request: web.Request, posted: Posted) -> None:
    body = await read_body(request)
    if request.content_type not in FORM_TYPES:
        return
    if body.count(b"&") >= MAX_FIELDS:
        raise web.HTTPRequestEntityTooLarge(MAX_FIELDS)
    charset = request.charset or "utf-8"
    text = body.decode(charset).rstrip()
    for name, value in parse_qsl(text, keep_blank_values=True, encoding=charset, errors="strict"):
        _keep(posted, name, value)


async def _read_multipart(request: web.Request, posted: Posted) -> None:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnknownEncoding("Content-Encoding: expected none for a form with files")
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if isinstance(part, MultipartReader) or part.name is None:
            raise ValueError
        if len(posted.texts) + len(posted.files) >= MAX_FIELDS:
            raise web.HTTPRequestEntityTooLarge(MAX_FIELDS)
        if part.filename is None:
            data, _ = await _read_part(request, part, request.client_max_size)
            _keep(posted, part.name, data.decode(part.get_charset("utf-8")))
            continue
        data, too_large = await _read_part(request, part, MAX_FILE_BYTES)
        if part.filename or data:  # a browser sends an empty one where no file was chosen
            _keep(posted, part.name, Upload(b"" if too_large else data, too_large))


async def _read_part(request: web.Request, part: BodyPartReader, most: int) -> tuple[bytes, bool]:
    """Read a part to its end, and keep it unless it has more than `most` bytes."""
    data = bytearray()
    too_large = False
    while chunk := await part.read_chunk():
        if request.content.total_bytes > request.client_max_size:
            raise web.HTTPRequestEntityTooLarge(request.client_max_size)
        too_large = too_large or len(data) + len(chunk) > most
        if too_large:
            data.clear()
        else:
            data += chunk
    return bytes(data), too_large


def _keep(posted: Posted, name: str, value: str | Upload) -> None:
    if name in posted.texts or name in posted.files:
        raise BadInput(f"The form cannot be read: it has the field {name[:60]!r} twice")
    if isinstance(value, str):
        posted.texts[name] = value
    else:
        posted.files[name] = value
