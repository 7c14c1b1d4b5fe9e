"""Every source of random numbers, each a pure function of a seed and of what the numbers are for.

Nothing here has a state that outlives a call, so a resumed run draws what an uninterrupted one would have drawn, and no
draw depends on which others were made before it. The schemes are part of the results: a run, a score and a synthetic
data set are reproduced only by the very same numbers.
"""

import contextlib
import hashlib
import random
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import torch

_on_host = False


def key(*parts: object) -> int:
    """Turn a path of names and counters into a 63-bit seed (BLAKE2b)."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def torch_generator(*parts: object) -> "torch.Generator":
    """Give torch's CPU generator of a path of names and counters, for example `("content", seed)`."""
    import torch  # fetching and cropping do without

    return torch.Generator().manual_seed(key(*parts))


@dataclass(frozen=True)
class Generators:
    """torch's CPU generators of several groups of samples, which lie one after another in what is drawn.

    Attributes:
        each: one for each group.
    """

    each: "tuple[torch.Generator, ...]"


def drawn_by_group(
    draw: "Callable[[int, torch.Generator | None], torch.Tensor]",
    rows: int,
    generator: "torch.Generator | Generators | None",
    dim: int = 0,
) -> "torch.Tensor":
    """Draw for a batch; where it has several groups, each draws what it draws alone.

    Args:
        draw: (number of rows, generator) -> numbers of so many rows.
        rows: of the whole batch, equally many in each group.
        generator: of the batch.
        dim: the dimension of the rows in what is drawn.
    """
    import torch

    if not isinstance(generator, Generators):
        return draw(rows, generator)
    return torch.cat([draw(rows // len(generator.each), one) for one in generator.each], dim)


def standard_normal(
    shape: "Sequence[int]", generator: "torch.Generator | Generators | None", device: "torch.device | str"
) -> "torch.Tensor":
    """Draw as many standard normals as pixels have, where they are needed, float32.

    For another device than the CPU the next number of `generator` is the key of that device's own counter-based
    generator (Philox on a GPU): other numbers than on a CPU, but again a pure function of what keyed `generator` and of
    how many were asked of it before.

    Args:
        shape: of the result.
        generator: of the CPU, for the first dimension of `shape`; None is torch's global one.
        device: on which the numbers are drawn and stay.
    """
    import torch

    on_host = _on_host or torch.device(device).type == "cpu"

    def draw(rows: int, generator: "torch.Generator | None") -> "torch.Tensor":
        if on_host:
            return torch.randn([rows, *shape[1:]], generator=generator)
        number = int(torch.randint(2**63 - 1, [], generator=generator))
        return torch.randn([rows, *shape[1:]], generator=_device_generator(number, device), device=device)

    return drawn_by_group(draw, shape[0], generator).to(device)


def _device_generator(number: int, device: "torch.device | str") -> "torch.Generator":
    import torch

    # A device without data draws nothing, and has no generator of its own.
    return torch.Generator("cpu" if torch.device(device).type == "meta" else device).manual_seed(number)


@contextlib.contextmanager
def drawn_on_host() -> "Iterator[None]":
    """Let `standard_normal` draw on the CPU for every device, so that a GPU's results can be held to a CPU's."""
    global _on_host
    _on_host = True
    try:
        yield
    finally:
        _on_host = False


def python_generator(*parts: object) -> random.Random:
    """Give Python's generator of a path of names and counters."""
    return random.Random(key(*parts))


def numpy_generator(*parts: object) -> np.random.Generator:
    """Give numpy's generator (Philox) of a path of names and counters, for example `("motion", seed)`."""
    return np.random.Generator(np.random.Philox(key=key(*parts)))


def stream(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """Give the numpy generator of one item of one purpose, such as a clip of a training or a choice of a protocol.

    Args:
        seed: of the run or the evaluation, any integer (taken modulo 2**64).
        purpose: what the numbers are for; other purposes give unrelated streams.
        index: number of the item, 0 to 2**64 - 1. It sits in the upper half of Philox's 256-bit counter, so streams
            do not overlap within 2**128 draws.
    """
    words = np.array([seed % (1 << 64), zlib.crc32(purpose.encode())], np.uint64)
    return np.random.Generator(np.random.Philox(key=words, counter=np.array([0, 0, index, 0], np.uint64)))


def numbered(seed: int, number: int) -> np.random.Generator:
    """Give the numpy generator of a numbered thing of the synthetic data set, both from 0 to 2**64 - 1."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, number], np.uint64)))


def to_python(rng: np.random.Generator) -> random.Random:
    """Seed Python's generator with the next number of numpy's."""
    return random.Random(int(rng.integers(2**63)))
