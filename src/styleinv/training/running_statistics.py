"""Running statistics of normalisations, as if groups had come one after another that in truth come at once.

Groups come at once in one pass (`nn/groups.py`) and in several processes. Each moves the statistics from one start. A
batch leaves a share 1 - momentum of what was there, so what a group started from can be exchanged for what those before
it have left.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase  # of batch and instance normalisation alike

from styleinv.nn import groups
from styleinv.nn.sync_batchnorm import SyncBatchNorm2d
from styleinv.training.distribution import World


@contextmanager
def groups_in_turn(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Let normalisations, which each group of a pass moves from the same start, end as if one had followed another.

    Raises:
        RuntimeError: a normalisation does not keep the groups apart.
    """
    if groups.count() == 1:
        yield
        return
    norms = _moving(modules)
    starts = {norm: _statistics(norm) for norm in norms}
    try:
        with _passes(norms) as passes:
            yield
        alike: dict[float, list[_NormBase]] = defaultdict(list)
        for norm in passes:
            if _statistics(norm)[0].ndim == 1:
                raise RuntimeError(f"{type(norm).__name__} mixes groups; take it from styleinv.nn.norms")
            alike[_left(norm, passes[norm] // groups.count())].append(norm)
        for left, moved in alike.items():
            # In few operations, however many layers there are.
            start = [part for norm in moved for part in starts[norm]]
            ends = torch.cat([part for norm in moved for part in _statistics(norm)], dim=1)
            now = _in_turn(torch.cat(start), ends, left)
            torch._foreach_copy_(start, now.split([len(part) for part in start]))
    finally:
        for norm, (mean, variance) in starts.items():
            norm.running_mean, norm.running_var = mean, variance


@contextmanager
def one_after_another(modules: Iterable[nn.Module], world: World) -> Iterator[None]:
    """Let normalisations, which each process moves from the same start, end as if one process had moved them.

    The processes hold consecutive groups.
    """
    norms = [] if world.size == 1 else [n for n in _moving(modules) if not isinstance(n, SyncBatchNorm2d)]
    if not norms:
        yield
        return
    starts = [torch.cat(_statistics(n)) for n in norms]
    with _passes(norms) as passes:
        yield
    ends = world.gather_rows(torch.cat([part for n in norms for part in _statistics(n)])).split(
        [len(s) for s in starts], dim=1
    )
    for norm, start, of_processes in zip(norms, starts, ends, strict=True):
        now = _in_turn(start, of_processes, _left(norm, passes[norm]))
        # Autograd is done with the old tensors, but another forward may still hold them.
        norm.running_mean, norm.running_var = (part.clone() for part in now.chunk(2))
        if isinstance(norm, nn.modules.batchnorm._BatchNorm) and norm.num_batches_tracked is not None:
            norm.num_batches_tracked += passes[norm] * (world.size - 1)


def _moving(modules: Iterable[nn.Module]) -> list[_NormBase]:
    """List the normalisations whose running statistics move."""
    norms = [n for m in modules for n in m.modules() if isinstance(n, _NormBase) and n.running_mean is not None]
    return [n for n in norms if n.training]


@contextmanager
def _passes(norms: Iterable[_NormBase]) -> Iterator[Counter[_NormBase]]:
    """Count the groups that each normalisation sees; one that sees a group twice counts it twice."""
    passes: Counter[_NormBase] = Counter()
    hooks = [n.register_forward_hook(lambda norm, *_: passes.update({norm: groups.count()})) for n in norms]
    try:
        yield passes
    finally:
        for hook in hooks:
            hook.remove()


def _left(norm: _NormBase, passes: int) -> float:
    """Compute the share of a start that is left after so many batches."""
    return (1 - (norm.momentum or 0)) ** passes


def _in_turn(start: Tensor, ends: Iterable[Tensor], left: float) -> Tensor:
    """Compute where statistics end that each of several moved from `start`, had each begun where the last had ended."""
    now = start
    for end in ends:
        now = end + left * (now - start)
    return now


def _statistics(norm: _NormBase) -> list[Tensor]:
    assert norm.running_mean is not None and norm.running_var is not None
    return [norm.running_mean, norm.running_var]
