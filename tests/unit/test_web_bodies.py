"""Bodies as clients really send them: odd JSON, odd encodings; never a 500, never more memory than allowed."""

import asyncio
import base64
import gzip
import random
import tracemalloc
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from tidegate_web.prediction import Signature, TensorSpec

PREDICT = "/v1/models/and_gate:predict"
GOOD = b'{"instances": [[1, 1]]}'
MIB = 2**20

FLOAT = np.dtype(np.float32)


def signature(**inputs: TensorSpec) -> Signature:
    return Signature(inputs, {"y": TensorSpec(FLOAT, None, "DT_FLOAT")})


async def sent(start_gateway: Any, fake_predictor: Any, wanted: Signature, body: bytes) -> tuple[int, Any, Any]:
    """Status, error text, and the tensors that reached the predictor."""
    gateway = await start_gateway(fake_predictor(signature=wanted, outputs={"y": np.zeros(1, np.float32)}))
    response = await gateway.client.post(PREDICT, data=body)
    text = (await response.json()).get("error", "")
    return response.status, text, gateway.predictor.seen[0].inputs if gateway.predictor.seen else None


NESTED = b"[" * 5000 + b"]" * 5000


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON: Input is a zero-length, empty document"),
        (b" \n", "not JSON"),
        (b"\xef\xbb\xbf", "not JSON"),
        (GOOD + b"x", "not JSON: unexpected content after document (line 1, column 24)"),
        (GOOD + GOOD, "not JSON: unexpected content"),
        (b'{"instances": [[1, 1],]}', "not JSON: trailing comma"),
        (b"{'instances': [[1, 1]]}", "not JSON"),
        (GOOD.decode().encode("utf-16"), "not JSON"),
        (b'{"instances": [["\xff", 1]]}', "not JSON: str is not valid UTF-8"),
        (b'{"instances": [["\xff", NaN]]}', "not JSON: it is not UTF-8"),
        (b'{"instances": [["\\ud800", 1]]}', "not JSON: no low surrogate"),
        (b'{"instances": [["\\ud800", NaN]]}', "half a surrogate pair"),
        (b'{"instances": ' + NESTED + b"}", "not JSON"),
        (b'{"instances": [NaN, ' + NESTED + b"]}", "nested too deeply"),
        (b'{"instances": ' + b"[" * 40 + b"1" + b"]" * 40 + b"}", "a list of 1"),
        (b'{"instances": [[1e999, 1]]}', "not JSON: number is infinity"),
        (b'{"instances": [[1e999, NaN]]}', "not JSON: number is infinity"),
        (b'{"instances": [[1' + b"0" * 400 + b", 1]]}", "not JSON: number is infinity"),
        (b'{"instances": [[1' + b"0" * 5000 + b", NaN]]}", "not JSON: number is infinity"),
        (b'{"instances": [[1e39, 1]]}', "numbers that fit float32"),
        (b'{"instances": [[-1e39, NaN]]}', "numbers that fit float32"),
        (b'{"instances": [[1, 1]], "instances": [[0, 0]]}', "instances: expected each member of an object once"),
        (b'{"signature_name": "a", "signature_name": "b", "instances": [[1, 1]]}', "signature_name: expected each"),
        (b'{"inputs": {"inputs": [[1, 1]], "inputs": [[0, 0]]}}', "inputs: expected each member of an object once"),
        (b'{"inputs": [[1, 1]], "inputs": [[NaN, 0]]}', "inputs: expected each member of an object once"),
        (b'{"instances": null}', "a list of one row or more, came null"),
        (b'{"inputs": null}', "came null"),
        (b'{"inputs": {}}', "inputs: expected an object with inputs, came none"),
        (b'{"inputs": []}', "float32 [any, 2], came the shape [0]"),
        (b'{"instances": [[]]}', "float32 [any, 2], came the shape [1, 0]"),
        (b'{"instances": [[1, 1]], "signature_name": null}', "signature_name: expected a text, came null"),
        (b'{"instances": [[1, 1]], "signature_name": ["serving_default"]}', "signature_name: expected a text"),
    ],
)  # fmt: skip
async def test_a_body_that_cannot_be_used_is_a_400_that_says_why(start_gateway, body, said):
    gateway = await start_gateway()
    response = await gateway.client.post(PREDICT, data=body)
    assert response.status == 400
    assert said in (await response.json())["error"]
    assert gateway.predictor.seen == []


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" + GOOD,
        b"\xef\xbb\xbf" + b'{"instances": [[1, Infinity]]}',
        b'{"instances": [[1, 1]], "signature_name": ""}',
        b'{"instances": [[1, 1]], "nobody": "knows me"}',
        b'{"inputs": {"inputs": [[1, 1]], "nobody": "knows me"}}',
        b'{"instances": [{"inputs": [1, 1]}, {"inputs": [1, 2]}]}',
        b'{"inputs": {"inputs": [[1, 1]]}}',
        b'{"instances": [[1, 1]], "\\ud83d\\ude00": NaN}',
    ],
)
async def test_what_tf_serving_takes_is_taken(start_gateway, body):
    gateway = await start_gateway()
    response = await gateway.client.post(PREDICT, data=body)
    assert response.status == 200, await response.text()


async def test_minus_zero_keeps_its_sign(start_gateway, fake_predictor):
    wanted = signature(x=TensorSpec(FLOAT, (None,), "DT_FLOAT"))
    _, _, inputs = await sent(start_gateway, fake_predictor, wanted, b'{"inputs": [-0.0, 0.0]}')
    assert np.signbit(inputs["x"]).tolist() == [True, False]


@pytest.mark.parametrize("body", [b'{"inputs": 5}', b'{"inputs": {"x": 5}}'])
@pytest.mark.parametrize("shape", [(), None])
async def test_a_tensor_without_dimensions_is_a_bare_value(start_gateway, fake_predictor, body, shape):
    wanted = signature(x=TensorSpec(FLOAT, shape, "DT_FLOAT"))
    status, text, inputs = await sent(start_gateway, fake_predictor, wanted, body)
    assert (status, text) == (200, "")
    assert inputs["x"].shape == ()
    assert inputs["x"].tolist() == 5


@pytest.mark.parametrize(
    ("body", "shape"),
    [(b'{"inputs": []}', (0,)), (b'{"inputs": [[], []]}', (2, 0)), (b'{"instances": [[[]]]}', (1, 1, 0))],
)
async def test_a_tensor_of_any_rank_takes_any_shape_also_empty(start_gateway, fake_predictor, body, shape):
    wanted = signature(x=TensorSpec(FLOAT, None, "DT_FLOAT"))
    status, _, inputs = await sent(start_gateway, fake_predictor, wanted, body)
    assert status == 200
    assert inputs["x"].shape == shape


@pytest.mark.parametrize(
    ("body", "elements"),
    [
        (b'{"instances": ["a", {"b64": "/w=="}]}', [b"a", b"\xff"]),
        (b'{"instances": [{"b64": "/w=="}, "a"]}', [b"\xff", b"a"]),
        (b'{"inputs": {"b64": "/w=="}}', b"\xff"),
        (b'{"inputs": {"x": {"b64": "/w=="}}}', b"\xff"),
        (b'{"inputs": [[{"b64": "/w=="}], [""]]}', [[b"\xff"], [b""]]),
        (b'{"instances": [{"x": {"b64": "/w=="}}, {"x": "a"}]}', [b"\xff", b"a"]),
        (b'{"instances": [{"x": [{"b64": "/w=="}, "NaN"]}]}', [[b"\xff", b"NaN"]]),
    ],
)
async def test_bytes_are_b64_at_any_depth(start_gateway, fake_predictor, body, elements):
    wanted = signature(x=TensorSpec(np.dtype(object), None, "DT_STRING"))
    status, text, inputs = await sent(start_gateway, fake_predictor, wanted, body)
    assert (status, text) == (200, "")
    assert inputs["x"].tolist() == elements


TWO = signature(a=TensorSpec(FLOAT, (None,), "DT_FLOAT"), b=TensorSpec(np.dtype(np.int64), (None,), "DT_INT64"))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"instances": [1, 2]}', "instances[0]: expected an object with a, b, came the number 1"),
        (b'{"instances": [{"a": 1, "b": 2}, 3]}', "instances[1]: expected an object with a, b, came the number 3"),
        (b'{"instances": [{"a": 1, "b": 2, "c": 3}]}', "instances[0]: expected an object with a, b, came a, b, c"),
        (b'{"inputs": [1, 2]}', "inputs: expected an object with a, b, came a list of 2"),
        (b'{"inputs": {"a": [1]}}', "inputs: expected an object with a, b, came a"),
        (b'{"instances": [{"a": 1, "b": 2.5}]}', "instances.b[0]: expected a whole number, came the number 2.5"),
        (b'{"instances": [{"a": 1, "b": 9223372036854775808}]}', "expected a whole number from -9223372036854775808"),
    ],
)
async def test_several_inputs_must_be_named(start_gateway, fake_predictor, body, said):
    status, text, _ = await sent(start_gateway, fake_predictor, TWO, body)
    assert status == 400
    assert said in text


@pytest.mark.parametrize(
    "content_type", [None, "application/x-www-form-urlencoded", "text/plain; charset=latin1", "nonsense"]
)
@pytest.mark.parametrize("path", [PREDICT, "/v1/models/and_gate:regress"])
async def test_the_content_type_does_not_matter(start_gateway, fake_predictor, path, content_type):
    gateway = await start_gateway(fake_predictor(values=[1.0]))
    body = GOOD if path == PREDICT else b'{"examples": [{}]}'
    headers = {"Content-Type": content_type} if content_type else {}
    response = await gateway.client.post(path, data=body, headers=headers, skip_auto_headers=["Content-Type"])
    assert response.status == 200
    assert response.content_type == "application/json"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(GOOD)),
        ("GZip", gzip.compress(GOOD)),
        ("gzip", gzip.compress(GOOD[:9]) + gzip.compress(GOOD[9:])),
        ("deflate", zlib.compress(GOOD)),
        ("deflate", zlib.compress(GOOD, wbits=-15)),
        ("identity", GOOD),
        ("", GOOD),
    ],
    ids=["gzip", "capitals", "gzip members", "deflate", "raw deflate", "identity", "empty"],
)
async def test_encoded_bodies_are_read(start_gateway, encoding, body):
    gateway = await start_gateway()
    response = await gateway.client.post(PREDICT, data=body, headers={"Content-Encoding": encoding})
    assert response.status == 200, await response.text()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", GOOD),
        ("deflate", b"\xff" + GOOD),
        ("gzip", gzip.compress(GOOD)[:-12]),
        ("deflate", zlib.compress(GOOD)[:-8]),
        ("deflate", zlib.compress(GOOD) + b"more"),
        ("gzip", gzip.compress(GOOD) + b"more"),
        ("gzip", gzip.compress(GOOD)[:-8] + bytes(8)),
        ("gzip", b""),
        ("gzip", gzip.compress(GOOD)[:20] + b"\xff" * 20),
    ],
    ids=[
        "not gzip",
        "not deflate",
        "gzip cut",
        "deflate cut",
        "deflate and more",
        "gzip and more",
        "wrong checksum",
        "nothing",
        "gzip broken",
    ],
)
async def test_bodies_that_are_not_encoded_as_they_say_are_400(start_gateway, encoding, body):
    gateway = await start_gateway()
    response = await gateway.client.post(PREDICT, data=body, headers={"Content-Encoding": encoding})
    assert response.status == 400
    assert "The body" in (await response.json())["error"]
    assert gateway.predictor.seen == []


@pytest.mark.parametrize("encoding", ["br", "zstd", "x-gzip", "gzip, gzip", "aws-chunked", "\xfc"])
async def test_encodings_that_nobody_reads_are_415(start_gateway, encoding):
    gateway = await start_gateway()
    response = await gateway.client.post(PREDICT, data=gzip.compress(GOOD), headers={"Content-Encoding": encoding})
    assert response.status == 415
    answer = await response.json()
    assert answer["error"].startswith("Content-Encoding: expected gzip, deflate or none, came ")
    assert answer["details"]["code"] == "unknown_encoding"


def bomb(size: int) -> bytes:
    """A gzip body that says `size` zeros: one block of them, made once, as often as it takes."""
    compressor = zlib.compressobj(wbits=31)
    head = compressor.compress(b"") + compressor.flush(zlib.Z_FULL_FLUSH)
    block = compressor.compress(b"0" * MIB) + compressor.flush(zlib.Z_FULL_FLUSH)
    return head + block * (size // MIB)


@pytest.mark.parametrize("size", [1, 2**16 + 1, 2**18 - 1, 2**18, 2**18 + 1, 3 * 2**20])
@pytest.mark.parametrize("byte", [b" ", None], ids=["dense", "random"])
async def test_bodies_of_any_size_are_decoded_whole(start_gateway, byte, size):
    """Around the sizes of the pieces that are read and decoded at a time."""
    filling = b" " * size if byte else base64.b64encode(random.Random(size).randbytes(size)).replace(b"=", b"A")
    text = GOOD[:-1] + b', "filling": "' + filling + b'"}'
    gateway = await start_gateway()
    for encoding, body in (("gzip", gzip.compress(text)), ("deflate", zlib.compress(text))):
        response = await gateway.client.post(PREDICT, data=BytesIO(body), headers={"Content-Encoding": encoding})
        assert response.status == 200, await response.text()


@pytest.mark.parametrize("over", [0, 1])
async def test_the_limit_counts_decoded_bytes(start_gateway, over):
    gateway = await start_gateway(max_body_mb=1)
    body = gzip.compress(GOOD + b" " * (MIB - len(GOOD) + over))
    response = await gateway.client.post(PREDICT, data=body, headers={"Content-Encoding": "gzip"})
    assert response.status == (413 if over else 200)


async def test_a_bomb_of_a_gigabyte_is_413_within_the_limits_memory_and_lets_others_work(start_gateway):
    gateway = await start_gateway(max_body_mb=8)
    body = bomb(2**30)
    assert len(body) < 2 * MIB
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(count_turns())
    tracemalloc.start()
    try:
        response = await gateway.client.post(PREDICT, data=BytesIO(body), headers={"Content-Encoding": "gzip"})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        others.cancel()
    assert response.status == 413
    assert "larger than the limit of 8388608 bytes" in (await response.json())["error"]
    assert peak < 16 * MIB
    assert turns > 32  # one after each quarter of a MiB
