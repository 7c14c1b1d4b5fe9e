"""Running statistics of normalisations in several processes, as if their groups had come one after another."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase  # of batch and instance normalisation alike

from styleinv.nn.sync_batchnorm import SyncBatchNorm2d
from styleinv.training.distribution import World


@contextmanager
def one_after_another(modules: Iterable[nn.Module], world: World) -> Iterator[None]:
    """Let normalisations, which each process moves from the same start, end as if one process had moved them.

    The processes hold consecutive groups. A pass leaves a share 1 - momentum of what was there, so what a process
    started from can be exchanged for what those before it have left.
    """
    if world.size == 1:
        yield
        return
    norms = [n for m in modules for n in m.modules() if isinstance(n, _NormBase) and n.running_mean is not None]
    norms = [n for n in norms if n.training and not isinstance(n, SyncBatchNorm2d)]
    if not norms:
        yield
        return

    passes: Counter[nn.Module] = Counter()
    hooks = [n.register_forward_hook(lambda norm, inputs, output: passes.update([norm])) for n in norms]
    starts = [_statistics(n).clone() for n in norms]
    yield
    for hook in hooks:
        hook.remove()

    ends = world.gather_rows(torch.cat([_statistics(n) for n in norms])).split([len(s) for s in starts], dim=1)
    for norm, start, of_processes in zip(norms, starts, ends, strict=True):
        left = (1 - (norm.momentum or 0)) ** passes[norm]
        now = start
        for end in of_processes:
            now = end + left * (now - start)
        # Autograd is done with the old tensors, but another forward may still hold them.
        norm.running_mean, norm.running_var = (part.clone() for part in now.chunk(2))
        if isinstance(norm, nn.modules.batchnorm._BatchNorm) and norm.num_batches_tracked is not None:
            norm.num_batches_tracked += passes[norm] * (world.size - 1)


def _statistics(norm: _NormBase) -> torch.Tensor:
    assert norm.running_mean is not None and norm.running_var is not None
    return torch.cat([norm.running_mean, norm.running_var])
