"""Counter-based random numbers: a draw depends on (seed, purpose, index) and on nothing that was drawn before."""

import zlib

import numpy as np


def generator(seed: int, purpose: str, index: int) -> np.random.Generator:
    """An independent stream for one purpose and one item.

    Args:
        seed: of the run, any integer (taken modulo 2**64).
        purpose: what the numbers are for; other purposes give unrelated streams.
        index: number of the item, 0 to 2**64 - 1.

    Returns:
        A Philox generator. The item sits in the upper half of its 256-bit counter, so streams do not overlap within
        2**128 draws.
    """
    key = np.array([seed % (1 << 64), zlib.crc32(purpose.encode())], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, index, 0], np.uint64)))
