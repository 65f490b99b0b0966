"""Encoded pictures to the few grey pixels that a model takes, inside the model's graph.

It runs in TF Serving as it does here, so that a client sends a file as it is.
"""

import tensorflow as tf

MAX_PIXELS = 2**24
"""Largest picture that is decoded; a file of a few kilobytes may claim to hold gigabytes."""

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_PNG_SIZE_AT = 16
"""Where a PNG has its width and height, two big-endian int32 (PNG specification, 11.2.2 IHDR)."""


def decode(encoded: tf.Tensor, side: int, brightest: float) -> tf.Tensor:
    """Decode pictures of any size, each on its own.

    Args:
        encoded: PNG or JPEG files, string [n].
        side: Pixels a side of what comes out; other shapes than squares are squeezed into it.
        brightest: What white becomes; black becomes 0.

    Returns:
        float32 [n, side, side]; each pixel the mean of the area that it stands for.

    Raises:
        tf.errors.InvalidArgumentError: When run: a file is no PNG or JPEG, is broken, or has over MAX_PIXELS pixels.
    """
    pixels = tf.TensorSpec((side, side), tf.float32)
    return tf.map_fn(lambda one: _decode_one(one, side), encoded, fn_output_signature=pixels) * (brightest / 255)


def _decode_one(encoded: tf.Tensor, side: int) -> tf.Tensor:
    is_png = tf.strings.substr(encoded, 0, len(_PNG)) == _PNG
    is_jpeg = tf.strings.substr(encoded, 0, len(_JPEG)) == _JPEG
    # Nothing orders a check before what it guards but these blocks
    with tf.control_dependencies(
        [tf.debugging.Assert(is_png | is_jpeg, ["expected the bytes of a PNG or a JPEG picture"])]
    ):
        sides = tf.cond(is_png, lambda: _png_sides(encoded), lambda: tf.image.extract_jpeg_shape(encoded)[:2])
    # As floats: the product of two sides may be more than an integer holds
    few = tf.reduce_prod(tf.cast(sides, tf.float32)) <= MAX_PIXELS
    with tf.control_dependencies(
        [tf.debugging.Assert(few, [f"expected a picture of at most {MAX_PIXELS} pixels, came the sides", sides])]
    ):
        picture = tf.io.decode_image(encoded, channels=1, expand_animations=False)
    picture.set_shape((None, None, 1))
    return tf.image.resize(picture, (side, side), method=tf.image.ResizeMethod.AREA)[:, :, 0]


def _png_sides(encoded: tf.Tensor) -> tf.Tensor:
    """Width and height, int32 [2]; 0 of a file that ends before them, which fails to decode."""
    head = tf.strings.join([tf.strings.substr(encoded, 0, _PNG_SIZE_AT + 8), tf.constant(bytes(_PNG_SIZE_AT + 8))])
    return tf.io.decode_raw(tf.strings.substr(head, _PNG_SIZE_AT, 8), tf.int32, little_endian=False)
