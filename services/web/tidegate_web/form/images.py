"""Pictures and the tensors that models take for them.

Pillow is imported when the first picture comes: a gateway of models without pictures never pays for it.
"""

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from tidegate_web.cards import ModelCard
from tidegate_web.errors import BadInput, Problem
from tidegate_web.prediction import Array, TensorSpec

if TYPE_CHECKING:
    from PIL import Image

SIDES = range(4, 1025)
"""Heights and widths that look like a picture's."""

CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's modes by the size of a tensor's last dimension."""

MAX_PIXELS = 16_000_000
"""Most telephones take 12. Decoding and scaling it takes 128 MB at most, and one is decoded at a time."""

FEW_PIXELS = f"a picture of at most {MAX_PIXELS // 10**6} million pixels"

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")

SIGNATURES = {b"\x89PNG\r\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}
"""How files begin that browsers show."""

MOST_SHOWN_BYTES = 2**18
"""A larger file is not repeated in the page."""

THUMBNAIL_SIDE = 96


@dataclass(frozen=True, slots=True)
class Grid:
    """How the numbers of an image-like input stand for pixels.

    Attributes:
        height: Rows of pixels.
        width: Pixels in a row.
        channels: Size of the last dimension: 1, 3 or 4; None where there is no such dimension.
        low: The number of a pixel without light (without ink, where inverted).
        high: The number of a pixel of full light (of full ink, where inverted).
        invert: Whether large numbers are dark.
    """

    height: int
    width: int
    channels: int | None
    low: float
    high: float
    invert: bool

    @property
    def mode(self) -> str:
        """Pillow's name of the pixels."""
        return CHANNELS[self.channels or 1]

    def row(self, picture: "Image.Image", dtype: np.dtype[np.generic]) -> Array:
        """Turn a picture of the right size and mode into one row, [1, height, width(, channels)]."""
        light = np.asarray(picture, np.float64) / 255
        numbers = self.low + (1 - light if self.invert else light) * (self.high - self.low)
        shape = (1, self.height, self.width, *(() if self.channels is None else (self.channels,)))
        row: Array = (numbers.round() if dtype.kind in "iu" else numbers).astype(dtype).reshape(shape)
        return row

    def light(self, row: Array) -> Array:
        """Turn one row into light from 0 to 255, uint8 [height, width(, channels)]."""
        numbers = np.nan_to_num((row[0].astype(np.float64) - self.low) / (self.high - self.low))
        light = (255 * (1 - numbers if self.invert else numbers).clip(0, 1)).round().astype(np.uint8)
        pixels: Array = light.reshape((self.height, self.width, self.channels or 1))
        return pixels


def grid_of(spec: TensorSpec, card: ModelCard) -> Grid | None:
    """Tell how an input stands for a picture; None where it does not look like one.

    Pictures are float, int or uint tensors [any, height, width] or [any, height, width, 1 | 3 | 4]. Integers count
    light from 0 to 255 and floats from 0 to 1, unless the card says otherwise.
    """
    match spec.shape:
        case (None, int() as height, int() as width):
            channels = None
        case (None, int() as height, int() as width, (1 | 3 | 4) as channels):
            pass
        case _:
            return None
    if spec.dtype.kind not in "fiu" or height not in SIDES or width not in SIDES:
        return None
    largest = 1.0 if spec.dtype.kind == "f" else min(255.0, float(np.iinfo(spec.dtype.name).max))
    low, high = card.image_range or (0.0, largest)
    return Grid(height, width, channels, low, high, card.image_invert)


def row_of_file(data: bytes, grid: Grid, dtype: np.dtype[np.generic]) -> Array:
    """Decode a picture, turn it upright, scale it to the grid, and give it as one row.

    Raises:
        BadInput: No picture of a known kind, a damaged one, or one of too many pixels; its problem is at no place.
    """
    from PIL import Image, ImageOps  # noqa: PLC0415 see above

    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            _refuse_many_pixels(*opened.size)
            opened.draft("RGB", (2 * grid.width, 2 * grid.height))  # a JPEG is decoded no larger than needed
            plain = opened if opened.mode in {"L", "RGB", "RGBA"} else opened.convert("RGBA")
            upright = ImageOps.exif_transpose(plain.reduce(_spare(plain, grid))).convert("RGBA")
            if grid.mode != "RGBA":
                paper = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(paper, upright).convert(grid.mode)
            return grid.row(upright.resize((grid.width, grid.height), Image.Resampling.BOX), dtype)
    except BadInput:
        raise
    except Image.DecompressionBombError:
        raise _refused(FEW_PIXELS, "a far larger one") from None
    except Exception:  # noqa: BLE001 Pillow's readers raise whatever a damaged file makes them stumble over
        raise _refused(f"a picture ({', '.join(FORMATS)})", "a file that cannot be read as one") from None


def _refuse_many_pixels(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise _refused(FEW_PIXELS, f"one of {width} by {height}")


def _refused(expected: str, came: str) -> BadInput:
    return BadInput(problems=(Problem("", expected, came),))


def _spare(picture: "Image.Image", grid: Grid) -> int:
    """By how much a picture can be made smaller and still have two pixels for one of the grid, either way up."""
    return max(1, min(picture.size) // (2 * max(grid.width, grid.height)))


def picture_of_row(row: Array, grid: Grid) -> str:
    """Draw one row as a small PNG, and give it as a `data:` address; empty where it is no row of the grid."""
    if row.shape[:3] != (1, grid.height, grid.width):
        return ""
    light = grid.light(row)
    return _png(light.tobytes(), light.shape, CHANNELS[light.shape[2]])


@lru_cache(maxsize=256)
def _png(light: bytes, shape: Sequence[int], mode: str) -> str:
    from PIL import Image  # noqa: PLC0415 see above

    picture = Image.frombytes(mode, (shape[1], shape[0]), light)
    largest = max(picture.size)
    if largest > THUMBNAIL_SIDE:
        scale = THUMBNAIL_SIDE / largest
        picture = picture.resize((math.ceil(picture.width * scale), math.ceil(picture.height * scale)))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def picture_of_file(data: bytes) -> str:
    """Give an encoded picture as a `data:` address; empty where browsers do not show it or it is large."""
    kind = next((kind for start, kind in SIGNATURES.items() if data.startswith(start)), "")
    if not kind or len(data) > MOST_SHOWN_BYTES:
        return ""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
