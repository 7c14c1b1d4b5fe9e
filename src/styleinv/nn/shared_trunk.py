"""A part of a network that runs once for several frames, with the BatchNorm statistics of running for each of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from styleinv.nn import groups
from styleinv.nn.sync_batchnorm import SyncBatchNorm2d


@contextmanager
def as_if_repeated(trunk: nn.Module, frames: int, training: bool) -> Iterator[None]:
    """Let BatchNorm layers inside `trunk` track the variance of a batch repeated `frames` times, which they see once.

    Repeating a batch changes neither its mean nor its biased variance, by which it is normalised; only the running
    variance has a factor n / (n - 1) in which n, the number of values of a group, counts. That factor is put right on
    leaving.

    Args:
        frames: how many frames share the result of the trunk.
        training: outside training nothing is tracked, and nothing is done.
    """
    if not training or frames == 1:
        yield
        return
    norms = [m for m in trunk.modules() if isinstance(m, nn.BatchNorm2d)]
    before = [_running_var(m).clone() for m in norms]
    counts: dict[nn.Module, int] = {}

    def count(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        counts[module] = inputs[0].numel() // inputs[0].shape[1] // groups.count()

    hooks = [m.register_forward_pre_hook(count) for m in norms]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
    for norm, old in zip(norms, before, strict=True):
        m = counts[norm] * (norm.processes if isinstance(norm, SyncBatchNorm2d) else 1)
        n = m * frames
        kept = (1 - (norm.momentum or 0)) * old
        # Autograd has saved the old tensor, so the buffer is replaced rather than written to.
        norm.running_var = kept + (_running_var(norm) - kept) * ((n * (m - 1)) / (m * (n - 1)))


def _running_var(norm: nn.BatchNorm2d) -> Tensor:
    assert norm.running_var is not None
    return norm.running_var
