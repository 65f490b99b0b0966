"""Pictures become the tensors that models take, whatever is uploaded."""

import base64
import io
import re
import struct
import zlib

import aiohttp
import numpy as np
import pytest
from PIL import Image

from tidegate_web.cards import ModelCard
from tidegate_web.errors import BadInput
from tidegate_web.form.images import MAX_PIXELS, grid_of, picture_of_row, row_of_file
from tidegate_web.prediction import TensorSpec

DIGITS = ModelCard(image_range=(0, 16), image_invert=True)


def spec(shape: tuple[int | None, ...] | None, dtype: str = "float32") -> TensorSpec:
    return TensorSpec(np.dtype(dtype), shape, "DT_X")


def encoded(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def read(
    data: bytes, shape: tuple[int | None, ...], dtype: str = "float32", card: ModelCard | None = None
) -> np.ndarray:
    wanted = spec(shape, dtype)
    grid = grid_of(wanted, card or ModelCard())
    assert grid is not None
    return row_of_file(data, grid, wanted.dtype)


HALF = np.zeros((16, 16), np.uint8)
HALF[:, 8:] = 255


@pytest.mark.parametrize(
    ("shape", "dtype", "is_picture"),
    [
        ((None, 8, 8), "float32", True),
        ((None, 28, 28, 1), "float32", True),
        ((None, 224, 224, 3), "uint8", True),
        ((None, 4, 1024, 4), "int32", True),
        ((None, 3, 3), "float32", False),
        ((None, 8, 1025), "float32", False),
        ((None, 8, 8, 2), "float32", False),
        ((None, None, 8), "float32", False),
        ((1, 8, 8), "float32", False),
        ((None, 64), "float32", False),
        (None, "float32", False),
        ((None, 8, 8), "bool", False),
        ((None, 8, 8), "object", False),
    ],
)
def test_what_looks_like_a_picture_is_one(shape, dtype, is_picture):
    assert (grid_of(spec(shape, dtype), ModelCard()) is not None) is is_picture


@pytest.mark.parametrize(
    ("dtype", "card", "dark", "light"),
    [
        ("float32", ModelCard(), 0, 1),
        ("uint8", ModelCard(), 0, 255),
        ("int8", ModelCard(), 0, 127),
        ("float32", ModelCard(image_range=(-1, 1)), -1, 1),
        ("float32", DIGITS, 16, 0),
        ("int64", DIGITS, 16, 0),
    ],
)
def test_light_becomes_the_numbers_that_the_model_takes(dtype, card, dark, light):
    row = read(encoded(HALF), (None, 4, 4), dtype, card)
    assert row.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(row, np.array([[[dark, dark, light, light]] * 4], dtype))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_every_kind_of_file_is_read(kind):
    row = read(encoded(HALF, kind), (None, 4, 4, 1))
    assert row.shape == (1, 4, 4, 1)
    np.testing.assert_allclose(row[0, 0, :, 0], [0, 0, 1, 1], atol=0.06)


def test_what_is_transparent_is_paper():
    clear = np.zeros((8, 8, 4), np.uint8)
    assert read(encoded(clear), (None, 4, 4), card=DIGITS).max() == 0
    assert read(encoded(clear), (None, 4, 4, 4)).max() == 0


def test_a_photograph_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held sideways: its left is the picture's top
    upright = read(encoded(HALF, "JPEG", exif=exif), (None, 4, 4))
    np.testing.assert_allclose(upright[0, :, 0], [0, 0, 1, 1], atol=0.06)


def test_a_large_photograph_is_scaled_to_what_is_asked():
    photo = np.zeros((3000, 4000, 3), np.uint8)
    photo[:, 2000:] = (200, 100, 50)
    for kind in ("PNG", "JPEG"):
        row = read(encoded(photo, kind), (None, 32, 48, 3), "uint8")
        np.testing.assert_allclose(row[0, 5, [0, 47]], [[0, 0, 0], [200, 100, 50]], atol=4)


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be huge."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "expected", "came"),
    [
        (b"GIF89a", "a picture (PNG, JPEG, WEBP, GIF, BMP)", "a file that cannot be read as one"),
        (b"<svg/>", "a picture (PNG, JPEG, WEBP, GIF, BMP)", "a file that cannot be read as one"),
        (encoded(HALF)[:-30], "a picture (PNG, JPEG, WEBP, GIF, BMP)", "a file that cannot be read as one"),
        (bomb(5000, 4000), "a picture of at most 16 million pixels", "one of 5000 by 4000"),
        (bomb(60000, 60000), "a picture of at most 16 million pixels", "a far larger one"),
    ],
)
def test_what_is_no_picture_is_told_so(data, expected, came):
    with pytest.raises(BadInput) as caught:
        read(data, (None, 8, 8))
    (problem,) = caught.value.problems
    assert (problem.expected, problem.came) == (expected, came)
    assert MAX_PIXELS == 16_000_000


@pytest.mark.parametrize(("shape", "dtype"), [((None, 8, 8), "float32"), ((None, 8, 8, 3), "uint8")])
def test_a_row_is_drawn_as_it_was_uploaded(shape, dtype):
    wanted = spec(shape, dtype)
    grid = grid_of(wanted, DIGITS)
    assert grid is not None
    row = row_of_file(encoded(HALF), grid, wanted.dtype)
    drawn = picture_of_row(row, grid)
    assert drawn.startswith("data:image/png;base64,")
    picture = Image.open(io.BytesIO(base64.b64decode(drawn.partition(",")[2])))
    assert picture.size == (8, 8)
    assert np.asarray(picture.convert("L"))[0].tolist() == [0] * 4 + [255] * 4


async def upload(gateway, field: str, data: bytes, **texts: str) -> tuple[int, str]:
    form = aiohttp.FormData(texts)
    form.add_field(field, data, filename="picture.png", content_type="image/png")
    response = await gateway.client.post("/home", data=form)
    return response.status, await response.text()


@pytest.fixture
async def gateway(start_gateway, many_models, cards_dir):
    return await start_gateway(many_models(), cards_dir=str(cards_dir))


async def test_an_upload_is_predicted_and_its_numbers_are_shown(gateway):
    drawn = np.full((80, 80), 255, np.uint8)
    drawn[30:40] = 0  # ink in row 3
    status, page = await upload(gateway, "images.all.file", encoded(drawn), model="digits", **{"images.all": "[[1]]"})
    assert status == 200
    assert 'data-class="3"' in page
    expected = np.zeros((1, 8, 8), np.float32)
    expected[0, 3] = 16
    np.testing.assert_array_equal(gateway.predictor.seen[0].inputs["images"], expected)
    assert "[16.0,16.0,16.0,16.0,16.0,16.0,16.0,16.0]" in page
    assert 'src="data:image/png;base64,' in page


async def test_a_file_for_a_model_that_decodes_by_itself_is_sent_as_it_is(gateway):
    data = encoded(HALF)
    status, page = await upload(gateway, "png.all.file", data, model="digits", signature="png")
    assert status == 200
    assert gateway.predictor.seen[0].inputs["png"].tolist() == [data]
    assert "&#34;signature_name&#34;:&#34;png&#34;" in page


@pytest.mark.parametrize(
    ("field", "data", "says"),
    [
        (
            "images.all.file",
            b"no picture",
            "Expected a picture (PNG, JPEG, WEBP, GIF, BMP), came a file that cannot be read",
        ),
        ("images.all.file", b"", "Expected a file of at most 6 MiB, came an empty one"),
    ],
)
async def test_a_bad_upload_is_told_beside_its_control(gateway, field, data, says):
    status, page = await upload(gateway, field, data, model="digits")
    assert status == 400
    assert re.search(rf'id="error-images.all">{re.escape(says)}', page)
    assert gateway.predictor.seen == []


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({}, "Expected a picture, or its numbers, came nothing"),
        ({"images.all": "[[1, 2]]"}, "Expected float32 [any, 8, 8], came the shape [1, 1, 2]"),
        ({"images.all": "[1"}, "came not JSON: "),
        ({"images.all": '[NaN, "\\ud800"]'}, "half a surrogate pair"),
        ({"signature": "png", "png.all": "%%"}, "Expected a file, or base64, came the text"),
    ],
)
async def test_what_is_typed_in_a_files_place_is_checked_too(gateway, typed, says):
    response = await gateway.client.post("/home", data={"model": "digits", **typed})
    assert response.status == 400
    assert says in await response.text()


async def test_one_row_may_stand_without_the_list_around_it(gateway):
    row = [[0.0] * 8 for _ in range(8)]
    for typed in (row, [row]):
        response = await gateway.client.post("/home", data={"model": "digits", "images.all": str(typed)})
        assert response.status == 200
    assert [seen.inputs["images"].shape for seen in gateway.predictor.seen] == [(1, 8, 8)] * 2


async def test_a_form_of_many_inputs_sends_one_row_of_each(gateway):
    photo = np.zeros((64, 96, 3), np.uint8)
    status, page = await upload(
        gateway, "photo.all.file", encoded(photo), **{
            "model": "mixed", "label.0": "a\r\nb", "urgent.0": "true", "count.0": "1", "count.1": "-2",
            "model.all": str([0.5] * 40),
        },
    )  # fmt: skip
    assert status == 200
    sent = {name: (array.shape, array.ravel()[0]) for name, array in gateway.predictor.seen[0].inputs.items()}
    assert sent == {
        "label": ((1,), b"a\nb"),
        "urgent": ((1,), True),
        "count": ((1, 2), 1),
        "model": ((1, 40), 0.5),
        "photo": ((1, 32, 48, 3), 0),
    }
    assert "the 10 largest of 1000 classes" in page
    assert "Class 417" in page
