"""Handwritten digits: a small convolutional network on scikit-learn's 1,797 images of 8 by 8 pixels.

The images come with scikit-learn, so training needs no network. Each pixel counts the inked ones of a block of 4 by 4,
from 0 to 16: a light digit on a dark ground. A fifth of the images is held out from training to tell how good it is.
"""

import base64
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tidegate_serving import picture
from tidegate_serving.export import DEFAULT_SIGNATURE, Signature, Trained

SIDE = 8
BRIGHTEST = 16
CLASSES = 10
HELD_OUT = 360
"""Images that are not trained on."""

FIT_TO_EXPORT = 0.97
"""Share of the held-out images that must be right; it reaches 0.98 to 0.99."""

SEED = 42
FILTERS = 16
DROPOUT = 0.3
EPOCHS = 25
BATCH = 64
LEARNING_RATE = 0.005
STEPS_AT_ONCE = 20
"""Steps between two returns to Python, which cost more than a step of so small a network."""


@dataclass(frozen=True, slots=True)
class Images:
    """Some of the images: float32 [n, 8, 8] from 0 to 16, and the digit of each, int64 [n]."""

    pixels: npt.NDArray[np.float32]
    digits: npt.NDArray[np.int64]


def load() -> tuple[Images, Images]:
    """Return the images to train on and those held out; the same each time.

    Raises:
        RuntimeError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits  # noqa: PLC0415 a model server does without
    except ImportError:
        raise RuntimeError(
            "digits is trained on images that come with scikit-learn: pip install scikit-learn"
        ) from None
    found = load_digits()
    order = np.random.default_rng(SEED).permutation(len(found.images))
    pixels, digits = found.images[order].astype(np.float32), found.target[order]
    return (
        Images(pixels[HELD_OUT:], digits[HELD_OUT:]),
        Images(pixels[:HELD_OUT], digits[:HELD_OUT]),
    )


def train() -> Trained:
    """Train on what is not held out; the same weights each time on one kind of machine.

    Returns:
        Signature `serving_default` takes `images` float32 [n, 8, 8] from 0 to 16, signature `png` takes `png` string
        [n], PNG or JPEG files of a light digit on a dark ground; both give `probabilities` float32 [n, 10].

    Raises:
        RuntimeError: No scikit-learn; or it is too often wrong, or wrong on an example of its card, and must not be
            exported.
    """
    seen, held_out = load()
    keras.utils.set_random_seed(SEED)
    model = _network()
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE),
        loss="sparse_categorical_crossentropy",
        jit_compile=False,  # XLA compiles for longer than the training takes
        steps_per_execution=STEPS_AT_ONCE,
    )
    batches = tf.data.Dataset.from_tensor_slices((seen.pixels, seen.digits)).shuffle(len(seen.digits), SEED)
    model.fit(batches.batch(BATCH, drop_remainder=True).repeat(EPOCHS), shuffle=False, verbose=0)
    right = model(held_out.pixels).numpy().argmax(axis=1) == held_out.digits
    if right.mean() < FIT_TO_EXPORT:
        raise RuntimeError(f"digits is right on {right.mean():.1%} of the images held out, not {FIT_TO_EXPORT:.0%}")
    if not right[_examples_of(held_out)].all():
        raise RuntimeError("digits is wrong on an example of its card: not exported")
    return Trained(model, {DEFAULT_SIGNATURE: _images(model), "png": _png(model)}, card(held_out))


def _network() -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE)),
            layers.Rescaling(1 / BRIGHTEST),
            layers.Reshape((SIDE, SIDE, 1)),
            layers.Conv2D(FILTERS, 3, padding="same", activation="relu"),
            layers.Conv2D(FILTERS, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(DROPOUT),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


def _images(model: keras.Model) -> Signature:
    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": model(images, training=False)}

    return Signature([tf.TensorSpec((None, SIDE, SIDE), tf.float32, name="images")], serve)


def _png(model: keras.Model) -> Signature:
    def serve(png: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": model(picture.decode(png, SIDE, BRIGHTEST), training=False)}

    return Signature([tf.TensorSpec((None,), tf.string, name="png")], serve)


def _examples_of(held_out: Images) -> list[int]:
    """Return where the most typical image of each digit is: the one nearest to their mean."""
    found = []
    for digit in range(CLASSES):
        (places,) = np.nonzero(held_out.digits == digit)
        alike = held_out.pixels[places]
        distances = ((alike - alike.mean(axis=0)) ** 2).sum(axis=(1, 2))
        found.append(int(places[distances.argmin()]))
    return found


def card(held_out: Images) -> dict[str, object]:
    """Tell what a person may want to know: an image of each digit, and one of them as a PNG file."""
    examples = [held_out.pixels[index] for index in _examples_of(held_out)]
    return {
        "title": "Handwritten digits",
        "description": "Which digit a picture of 8 by 8 grey pixels shows, light on dark. "
        "The signature png takes PNG or JPEG files of any size.",
        "class_names": [str(digit) for digit in range(CLASSES)],
        "image_range": [0, BRIGHTEST],
        "examples": [
            *(
                {"label": f"A {digit}", "inputs": {"images": pixels.astype(int).tolist()}, "expected": digit}
                for digit, pixels in enumerate(examples)
            ),
            {
                "label": "A 3 as a PNG file",
                "signature": "png",
                "inputs": {"png": {"b64": base64.b64encode(as_png(examples[3])).decode()}},
                "expected": 3,
            },
        ],
    }


def as_png(pixels: npt.NDArray[np.float32]) -> bytes:
    """Write an image, float32 [8, 8] from 0 to 16, as a PNG file of grey pixels."""
    shades = np.rint(pixels * (255 / BRIGHTEST)).astype(np.uint8)
    encoded: bytes = tf.io.encode_png(shades[:, :, np.newaxis]).numpy()
    return encoded
