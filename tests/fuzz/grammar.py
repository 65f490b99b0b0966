"""A seeded generator of hostile HTTP/1.1 requests for the gateway: mutated bodies, paths, headers and framing."""

import base64
import gzip
import json
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

PREDICT = "/v1/models/and_gate:predict"
VERBS = ("predict", "classify", "regress", "explode", "")
METHODS = (
    "GET",
    "POST",
    "POST",
    "POST",
    "PUT",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "PATCH",
    "TRACE",
    "get",
    "PO ST",
    "BREW",
    "",
)
NUMBERS = (
    "0", "-0", "1e400", "-1e400", "1e-400", "NaN", "-Infinity", "Infinity", "9" * 400, "-" + "9" * 400,
    "1" + "0" * 5000, "18446744073709551616", "9223372036854775807", "-9223372036854775809", "0x10", "01", "1.", ".5",
    "+1", "1e", "1_000", "340282346638528859811704183484516925440", "3.5e38",
    "1.0000000000000000000000000000000000000001",
)  # fmt: skip
TEXTS = (
    "", "\x00", "\ud800", "é", "\U0001f600", "a" * 5000, "</script><script>", "%s%n", "../../etc/passwd", "\r\nX: y",
    "\u202e", "'; DROP TABLE", "{{7*7}}", "nul\x00byte", "\ufeff",
)  # fmt: skip
NAMES = ("instances", "inputs", "signature_name", "examples", "context", "b64", "__proto__", "outputs", "", "inputs.0")


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to send.

    Attributes:
        kind: What was done to it.
        data: The bytes of it.
    """

    kind: str
    data: bytes


def make(seed: int) -> Case:
    """Make the case of a seed; the same seed makes the same case."""
    draw = random.Random(seed)
    kind = draw.choice(tuple(KINDS))
    return Case(kind, KINDS[kind](draw))


def request(
    body: bytes = b"", method: str = "POST", path: str = PREDICT, headers: tuple[tuple[str, str], ...] = (), **also: str
) -> bytes:
    """Write a request; `Content-Length` is right unless a header says otherwise."""
    named = {name.lower() for name, _ in headers}
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in also.items()]
    if not named & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body


def value(draw: random.Random, depth: int = 0) -> str:
    """Write some JSON value, or nearly one."""
    if depth > 4 or draw.random() < 0.45:
        return draw.choice(
            (
                lambda: draw.choice(NUMBERS),
                lambda: json.dumps(draw.choice(TEXTS)),
                lambda: draw.choice(("null", "true", "false", "nul", "undefined", "")),
                lambda: json.dumps({"b64": draw.choice(("", "AA==", "A", "!!!!", "é", "A" * 999))}),
                lambda: '"' + draw.choice(("\\ud800", "\\udfff\\ud800", "\\x41", "\\u12", "\x01", "\\")) + '"',
            )
        )()
    items = [value(draw, depth + 1) for _ in range(draw.randrange(5))]
    if draw.random() < 0.5:
        return "[" + ",".join(items) + "]"
    # Names come twice now and then
    return "{" + ",".join(f"{json.dumps(draw.choice(NAMES))}:{item}" for item in items) + "}"


def _rows(draw: random.Random) -> str:
    rows = [[draw.choice(("0", "1", "5", "1.5")) for _ in range(2)] for _ in range(draw.randrange(1, 4))]
    if draw.random() < 0.8:
        draw.choice(rows)[draw.randrange(2)] = value(draw, 3)
    if draw.random() < 0.2:
        draw.choice(rows).append(value(draw, 4))
    return "[" + ",".join("[" + ",".join(row) + "]" for row in rows) + "]"


def _body(draw: random.Random) -> bytes:
    key = draw.choice(("instances", "instances", "inputs", "examples"))
    rows = draw.choice((_rows, _rows, value))(draw)
    members = [f'"{key}":{rows}']
    members += [f"{json.dumps(draw.choice(NAMES))}:{value(draw, 2)}" for _ in range(draw.choice((0, 0, 1, 2)))]
    draw.shuffle(members)
    return ("{" + ",".join(members) + "}").encode("utf-8", "surrogatepass")


def _json(draw: random.Random) -> bytes:
    return request(_body(draw), path=_target(draw))


def _bytes(draw: random.Random) -> bytes:
    """A good body with some bytes changed, cut, doubled or put in."""
    body = bytearray(b'{"signature_name":"serving_default","instances":[[1,0],[0,1]]}')
    for _ in range(draw.randrange(1, 6)):
        at = draw.randrange(len(body) + 1)
        match draw.randrange(4):
            case 0:
                body[at : at + 1] = bytes([draw.randrange(256)])
            case 1:
                del body[at:]
            case 2:
                body[at:at] = body[: draw.randrange(20)]
            case _:
                body[at:at] = draw.choice((b"\x00", b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"\\", b'"', b"]", b"["))
    return request(bytes(body))


def _deep(draw: random.Random) -> bytes:
    depth = draw.choice((20, 31, 32, 33, 64, 65, 127, 128, 1000, 1024, 1025, 10_000, 100_000))
    opened, closed = draw.choice((("[", "]"), ('{"instances":', "}"), ('[{"a":', "}]")))
    leaf = draw.choice(("1", "NaN", "", '"x"'))
    nested = opened * depth + leaf + closed * draw.choice((depth, depth, 0, depth - 1))
    return request(draw.choice((nested, f'{{"instances":{nested}}}', f'{{"inputs":{nested}}}')).encode())


def _target(draw: random.Random) -> str:
    model = draw.choice(("and_gate", "and_gate", "and_gate", "nobody", *map(quote_any, TEXTS)))
    choice = draw.choice(("", "", "/versions/1", f"/versions/{draw.choice(NUMBERS)}", "/versions/²", "/labels/stable"))
    return f"/v1/models/{model}{choice}:{draw.choice(VERBS)}" if draw.random() < 0.8 else PREDICT


def quote_any(text: str) -> str:
    """Percent-encode a text, lone surrogates too."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def _path(draw: random.Random) -> bytes:
    parts = (
        "/", "/v1", "/v2", "/models", "/and_gate", "/..", "/.", "/%2e%2e", "/%2F", "%00", "%", "%zz", "/versions/1",
        "/versions/99999999999999999999999", "/versions/%C2%B2", "/labels/%0d%0aX", "/metadata", ":predict", "?", "#",
        "?model=nobody", "/home", "/assets/tidegate.css", "/infer", "/ready", ";", "//", "\\", "/%ff%fe", "/\xff",
        "http://else/where", "*", "/" + "a" * 7000, "/" + "b" * 9000, "?" + "c=1&" * 1500, "/%E2%80%AE", " ", "\t",
    )  # fmt: skip
    usual = ("/v1/models/and_gate", "/home", "/", "/v2/models/and_gate/infer", "/v2/health/ready", "")
    path = draw.choice(usual) + "".join(draw.choice(parts) for _ in range(draw.randrange(4)))
    method = draw.choice(METHODS)
    return request(_body(draw) if draw.random() < 0.5 else b"", method=method, path=path)


def _headers(draw: random.Random) -> bytes:
    odd = (
        ("X-Request-ID", draw.choice(TEXTS)),
        ("X-Request-Timeout", draw.choice((*NUMBERS, "", "1e309", "1,2", "٣"))),
        ("X-Client-ID", "c" * draw.choice((1, 4000, 8000, 9000))),
        ("Accept", "\x00"),
        ("Cookie", "a=b;" * 2000),
        (
            "Content-Type",
            draw.choice(("", "text/plain; charset=nowhere", "application/json; charset=utf-16", 'a/b;c="')),
        ),
        ("Content-Encoding", draw.choice(("gzip", "deflate", "br", "zstd", "identity", "gzip, gzip", "x", ""))),
        ("Expect", draw.choice(("100-continue", "200-ok", ""))),
        ("Connection", draw.choice(("close", "x", "Upgrade"))),
        ("Upgrade", draw.choice(("websocket", "h2c", ""))),
        ("Authorization", draw.choice(("Bearer", "Bearer \x01", "x"))),
        ("Range", "bytes=0-0,-1"),
        ("Transfer-Encoding", draw.choice(("identity", "gzip", "xchunked", "chunked, chunked"))),
        ("Content-Length", draw.choice(("-1", "+5", "5, 6", "9" * 30, "0x5", " ", "²"))),
        ("Host", "evil\x7f"),
        (" Leading", "x"),
        ("Na me", "x"),
        ("", "x"),
        ("A" * 9000, "x"),
        ("Fold", "a\r\n b"),
        ("Sec-WebSocket-Key", "x"),
        ("Inference-Header-Content-Length", draw.choice(("-1", "5", "x", "9" * 30))),
        ("If-Modified-Since", "yesterday"),
    )
    some = [draw.choice(odd) for _ in range(draw.randrange(1, 5))]
    if draw.random() < 0.05:
        some += [(f"X-{number}", "y") for number in range(draw.choice((100, 200, 5000)))]
    return request(_body(draw), path=draw.choice((PREDICT, "/home")), headers=tuple(some))


def _framing(draw: random.Random) -> bytes:
    """Chunks and lengths that disagree with each other or with what comes."""
    body = b'{"instances":[[1,0]]}'
    size = b"%x" % len(body)
    chunk = draw.choice(
        (
            size + b"\r\n" + body + b"\r\n0\r\n\r\n",
            size + b";ext=" + b"x" * draw.choice((1, 9000)) + b"\r\n" + body + b"\r\n0\r\n\r\n",
            b"-1\r\n" + body,
            b"FFFFFFFFFFFFFFFFFF\r\n" + body,
            b"zz\r\n" + body,
            size + b"\n" + body + b"\n0\n\n",
            b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\nTrailer: " + b"t" * 9000 + b"\r\n\r\n",
            size + b"\r\n" + body + b"XX0\r\n\r\n",
            b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n",
        )
    )
    length = len(body)
    frames: tuple[bytes, ...] = (
        request(chunk, headers=(("Transfer-Encoding", "chunked"),)),
        request(chunk, headers=(("Transfer-Encoding", "chunked"), ("Content-Length", str(length)))),
        request(body, headers=(("Content-Length", str(length)), ("Content-Length", str(length + 1)))),
        request(body, headers=(("Content-Length", str(length)), ("Content-Length", str(length)))),
        request(body, headers=(("Content-Length", str(length - 5)),)),
        request(body, headers=(("Content-Length", str(length + 5)),)),
        request(body).replace(b"\r\n", b"\n"),
        request(body).replace(
            b"HTTP/1.1", draw.choice((b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/9", b"ICY", b""))
        ),
        request(body).replace(b": ", draw.choice((b" : ", b":\x0b", b"", b":\x00"))),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + draw.randbytes(64),
        draw.randbytes(draw.choice((1, 60, 5000))),
        request(body) + request(body, path="/v1/models/nobody:predict") + request(b"["),
        b"\r\n" * draw.choice((1, 50)) + request(body),
    )
    return draw.choice(frames)


BOMB_BYTES = 17 * 2**20
"""Just over campaign.MAX_BODY_MB once unpacked."""


def _encoded(draw: random.Random) -> bytes:
    """Bodies compressed well, badly, or to a bomb."""
    if draw.random() < 0.02:  # few: each takes a tenth of a second to make
        return request(_gzip(bytes(BOMB_BYTES)), headers=(("Content-Encoding", "gzip"),))
    plain = draw.choice((b'{"instances":[[1,0]]}', b"[" * 100_000, b" " * 100_000, _body(draw)))
    encodings: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
        ("gzip", _gzip),
        ("deflate", zlib.compress),
        ("gzip", lambda data: _gzip(_gzip(data))),
        ("gzip", lambda data: _gzip(data)[:-9]),
        ("gzip", lambda data: _gzip(data) + b"tail"),
        ("gzip", lambda data: data),
        ("deflate", lambda data: zlib.compress(data, 1)[2:-4]),
        ("br", lambda data: data),
        ("zstd", lambda data: data),
    )
    name, encode = draw.choice(encodings)
    return request(encode(plain), headers=(("Content-Encoding", name),))


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0)


def _form(draw: random.Random) -> bytes:
    names = ("model", "inputs.0", "inputs.1", "input1", "inputs", "signature", "", "a" * 2000)
    typed = (*NUMBERS, *TEXTS, "and_gate", "nobody", "1", "0")
    pairs = [(draw.choice(names), draw.choice(typed)) for _ in range(draw.randrange(6))]
    path = draw.choice(("/", "/home", "/home?model=and_gate"))
    if draw.random() < 0.5:
        body = "&".join(f"{quote_any(name)}={quote_any(text)}" for name, text in pairs)
        body = draw.choice((body, body, body + "&%", "&" * 2000, "=" * 50))
        kind = draw.choice(
            ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-7", "x")
        )
        return request(body.encode(), path=path, headers=(("Content-Type", kind),))
    boundary = draw.choice(("b", "b", "", "b" * 100, '"'))
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{draw.choice(("", "; filename=x"))}\r\n'
        f"{draw.choice(('', 'Content-Transfer-Encoding: base64', 'Content-Type: text/plain; charset=x', 'X' * 9000))}"
        f"\r\n\r\n{text}\r\n"
        for name, text in pairs
    ]
    body = "".join(parts) + draw.choice((f"--{boundary}--\r\n", f"--{boundary}", ""))
    kind = draw.choice(
        (f"multipart/form-data; boundary={boundary}", "multipart/form-data", "multipart/mixed; boundary=b")
    )
    return request(body.encode("utf-8", "surrogatepass"), path=path, headers=(("Content-Type", kind),))


def _infer(draw: random.Random) -> bytes:
    """Bodies of the Open Inference Protocol."""
    shape = draw.choice(("[1,2]", "[-1,2]", "[1e3]", "[9223372036854775807,9223372036854775807]", "[]", "null", "[0]"))
    kind = draw.choice(('"FP32"', '"BYTES"', '"BOOL"', '"FP16"', '"INT64"', "1", '"x"'))
    data = draw.choice(("[1,0]", "[[1,0]]", "[]", value(draw, 2)))
    member = f'{{"name":"inputs","shape":{shape},"datatype":{kind},"data":{data}}}'
    body = f'{{"inputs":[{member}],"outputs":{draw.choice(("[]", "null", value(draw, 2)))}}}'
    binary = base64.b64decode("AACAPwAAAAA=") if draw.random() < 0.3 else b""
    headers = (("Inference-Header-Content-Length", str(len(body))),) if binary else ()
    path = draw.choice(("/v2/models/and_gate/infer", "/v2/models/and_gate/versions/1/infer", "/v2/models/nobody/infer"))
    return request(body.encode("utf-8", "surrogatepass") + binary, path=path, headers=headers)


KINDS: dict[str, Callable[[random.Random], bytes]] = {
    "json": _json,
    "bytes": _bytes,
    "deep": _deep,
    "path": _path,
    "headers": _headers,
    "framing": _framing,
    "encoded": _encoded,
    "form": _form,
    "infer": _infer,
}
