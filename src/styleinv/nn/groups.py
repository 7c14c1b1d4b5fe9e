"""Several groups of samples in one pass: what looks across samples looks within each group alone.

A group is what shares random draws and statistics (`TrainingConfig` in `training/method.py`). Those of a pass lie one
after another along dimension 0 of every batch, and where a sample has several rows, such as frames, the rows of a group
stay together. Whoever computes a mean, a standard deviation or a normalisation over samples asks here how many groups
there are; outside of a pass over several it is one.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from styleinv.rng import Generators

# What draws of a batch come from: one generator, or one for each of its groups.
Source = torch.Generator | Generators

# Not of a thread: autograd computes parts of a network anew in threads of its own.
_count = 1


@contextmanager
def at_once(count: int) -> Iterator[None]:
    """Let batches consist of `count` groups, in the whole process."""
    global _count
    before, _count = _count, count
    try:
        yield
    finally:
        _count = before


def count() -> int:
    """Return how many groups a batch consists of."""
    return _count


def split(x: Tensor) -> Tensor:
    """Give every group its own entry of a new first dimension: [N, ...] becomes [groups, N / groups, ...]."""
    return x.unflatten(0, (_count, -1))


def spread(values: Tensor, like: Tensor) -> Tensor:
    """Repeat the value of each group for each of its rows, in a shape that can be multiplied with `like`.

    Args:
        values: [groups].
        like: [N, ...].

    Returns:
        [N, 1, ...], with as many dimensions as `like`.
    """
    rows = values.repeat_interleave(like.shape[0] // _count)
    return rows.reshape(-1, *[1] * (like.ndim - 1))


def mean(x: Tensor) -> Tensor:
    """Compute the mean of all values of a group, for each of its rows: [N, 1, ...], or a scalar for a single group."""
    return x.mean() if _count == 1 else spread(split(x).flatten(1).mean(dim=1), x)


def repeated(x: Tensor, times: int) -> Tensor:
    """Repeat rows [N, ...] as [N * times, ...], in the order (group, repetition, row)."""
    return split(x)[:, None].expand(-1, times, *[-1] * x.ndim).flatten(0, 2)
