"""TensorFlow's bfloat16, the upper half of a float32, which numpy does not have."""

import numpy as np
import numpy.typing as npt

_HALF = 16
_ROUND = np.uint32(0x7FFF)
_QUIET_NAN = np.uint32(0x40)


def widen(words: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """Give the float32 values, exactly, of bfloat16 bit patterns."""
    return (words.astype(np.uint32) << _HALF).view(np.float32)


def narrow(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Give the bit patterns, in one dimension, of the bfloat16 nearest to each value; ties go to the even one.

    What is nearer to infinity than to the largest bfloat16 becomes infinity, as in TensorFlow.
    """
    flat = np.ascontiguousarray(values).reshape(-1)
    bits = flat.view(np.uint32)
    upper = bits >> _HALF
    rounded = (bits + _ROUND + (upper & 1)) >> _HALF
    # Rounding would carry a NaN's low bits into infinity or beyond
    return np.where(np.isnan(flat), upper | _QUIET_NAN, rounded).astype(np.uint16)
