"""The digits, through a model server: every image that was held out, and pictures as files."""

import io
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tidegate_proto.prediction_pb2 import ModelSpec, PredictRequest
from tidegate_proto.services import PREDICT
from tidegate_proto.tensor_pb2 import DT_FLOAT, DT_STRING, TensorProto, TensorShapeProto

# As tidegate_serving.digits splits them; repeated here since that module imports TensorFlow
SEED, HELD_OUT = 42, 360

Array = np.ndarray[Any, Any]


class Digits:
    """A plain client of the model."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._predict = channel.unary_unary(PREDICT.path, PredictRequest.SerializeToString, PREDICT.response.FromString)

    def ask(self, signature: str, tensor: TensorProto) -> Array:
        request = PredictRequest(model_spec=ModelSpec(name="digits", signature_name=signature))
        request.inputs["png" if signature == "png" else "images"].CopyFrom(tensor)
        answer = self._predict(request, timeout=20).outputs["probabilities"]
        return np.array(answer.float_val).reshape([dim.size for dim in answer.tensor_shape.dim])

    def images(self, pixels: Array) -> Array:
        return self.ask(
            "serving_default",
            TensorProto(
                dtype=DT_FLOAT, tensor_shape=shape(pixels.shape), tensor_content=pixels.astype("<f4").tobytes()
            ),
        )

    def png(self, *files: bytes) -> Array:
        return self.ask("png", TensorProto(dtype=DT_STRING, tensor_shape=shape((len(files),)), string_val=files))


def shape(sizes: tuple[int, ...]) -> TensorShapeProto:
    return TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in sizes])


@pytest.fixture(scope="module")
def digits(model_server: Any) -> Iterator[Digits]:
    with grpc.insecure_channel(model_server.address) as channel:
        yield Digits(channel)


@pytest.fixture(scope="module")
def held_out() -> tuple[Array, Array]:
    """Images and digits that the model was not trained on."""
    found = load_digits()
    order = np.random.default_rng(SEED).permutation(len(found.images))[:HELD_OUT]
    return found.images[order], found.target[order]


@pytest.fixture(scope="module")
def card(model_folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((model_folder / "digits/1/assets.extra/tidegate.json").read_text())
    return document


def encoded(picture: Image.Image, format_: str = "PNG") -> bytes:
    file = io.BytesIO()
    picture.save(file, format_)
    return file.getvalue()


def drawn(pixels: Array, side: int = 8) -> Image.Image:
    shades = np.rint(pixels * (255 / 16)).astype(np.uint8)
    return Image.fromarray(shades).resize((side, side), Image.Resampling.NEAREST)


def test_it_is_right_on_97_of_100_images_that_it_never_saw(digits, held_out):
    pixels, expected = held_out
    shares = digits.images(pixels)
    assert shares.shape == (HELD_OUT, 10)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert (shares.argmax(axis=1) == expected).mean() >= 0.97


def test_a_picture_as_a_file_is_answered_like_its_pixels(digits, held_out):
    pixels = held_out[0][:20]
    files = digits.png(*(encoded(drawn(image)) for image in pixels))
    np.testing.assert_allclose(files, digits.images(pixels), atol=0.02)  # a file rounds to 256 shades


@pytest.mark.parametrize(
    ("mode", "side", "format_"),
    [("L", 8, "PNG"), ("L", 280, "PNG"), ("RGB", 64, "PNG"), ("RGBA", 64, "PNG"), ("P", 64, "PNG"), ("L", 280, "JPEG")],
)
def test_files_of_any_kind_and_size_show_the_same_digit(digits, card, mode, side, format_):
    for example in card["examples"][:10]:
        pixels = np.array(example["inputs"]["images"])
        (shares,) = digits.png(encoded(drawn(pixels, side).convert(mode), format_))
        assert shares.argmax() == example["expected"]


def test_the_pictures_of_one_batch_may_differ_in_size(digits, held_out):
    first, second = held_out[0][:2]
    together = digits.png(encoded(drawn(first, 8)), encoded(drawn(second, 80)))
    np.testing.assert_allclose(together, digits.images(held_out[0][:2]), atol=0.02)


def claiming(width: int, height: int) -> bytes:
    """A PNG file whose header claims a size that it does not hold."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(64))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (b"", "expected the bytes of a PNG or a JPEG picture"),
        (b"not a picture", "expected the bytes of a PNG or a JPEG picture"),
        (b"GIF89a", "expected the bytes of a PNG or a JPEG picture"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\xff\xd8\xff\xe0 torn off", "JPEG"),
        (claiming(8, 8)[:-30], "PNG"),
        (claiming(30000, 30000), "expected a picture of at most 16777216 pixels"),
        (claiming(2**31 - 1, 2**31 - 1), "expected a picture of at most 16777216 pixels"),
    ],
)
def test_bytes_that_are_no_picture_are_refused_and_the_server_lives_on(digits, card, file, said):
    with pytest.raises(grpc.RpcError) as caught:
        digits.png(file)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert said in str(caught.value.details())
    example = card["examples"][3]
    assert digits.images(np.array([example["inputs"]["images"]])).argmax() == 3


def test_the_card_has_a_right_example_of_each_digit_and_a_file(digits, card):
    examples = card["examples"]
    assert [example["expected"] for example in examples[:10]] == list(range(10))
    assert card["class_names"] == [str(digit) for digit in range(10)]
    assert card["image_range"] == [0, 16]
    shares = digits.images(np.array([example["inputs"]["images"] for example in examples[:10]]))
    assert shares.argmax(axis=1).tolist() == list(range(10))
