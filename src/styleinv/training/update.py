"""One update of one phase: losses of some groups of samples back-propagated, then the optimiser."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from typing import TypeVar

import torch
from torch import Tensor, nn

from styleinv.nn import groups
from styleinv.training.buckets import Buckets
from styleinv.training.draws import Draws
from styleinv.training.method import Parts, Phase, Report
from styleinv.training.offload import offloading
from styleinv.training.running_statistics import groups_in_turn

Batch = TypeVar("Batch")


def moving_once(batches: Iterable[Batch], buffers: Sequence[Tensor]) -> Iterator[Batch]:
    """Give passes, each of which finds `buffers` as the first did; after the last they hold the mean.

    A running mean that each pass moves by its own values so moves once, by the mean over all of them.
    """
    before = [buffer.clone() for buffer in buffers]
    # In double precision the mean of equal values is that value, bit by bit.
    totals = [torch.zeros_like(buffer, dtype=torch.float64) for buffer in buffers]
    count = 0
    for batch in batches:
        for buffer, value in zip(buffers, before, strict=True):
            buffer.copy_(value)
        yield batch
        for buffer, total in zip(buffers, totals, strict=True):
            total += buffer
        count += 1
    for buffer, total in zip(buffers, totals, strict=True):
        buffer.copy_(total / count if count else buffer)


def parameters_of(parts: Parts, phase: Phase) -> list[nn.Parameter]:
    """List the parameters that a phase updates."""
    return [p for group in parts.optimizers[phase.optimizer].param_groups for p in group["params"]]


def accumulate(
    parts: Parts,
    phase: Phase,
    passes: Iterable[tuple[tuple[int, ...], tuple[Tensor, ...]]],
    count: int,
    seed: int,
    step: int,
    report: Report,
    kept: float = 1,
    buckets: Buckets | None = None,
) -> list[Tensor]:
    """Compute the mean gradients over `count` groups of a phase; they stay in its parameters and are returned.

    Args:
        passes: (numbers of groups within the step, their real data on the device, group after group), with equally
            many groups in each.
        kept: share of the activations that stay on the device, see `offloading`.
        buckets: in which the gradients go to the other processes, which hold as many groups.

    Raises:
        RuntimeError: a pass took another number of backward passes than those before it.
    """
    parts.optimizers[phase.optimizer].zero_grad(set_to_none=True)
    params = parameters_of(parts, phase)
    for param in params:
        param.requires_grad_(True)
    done = 0
    for numbers, real in moving_once(passes, parts.step_means):
        draws = Draws(seed, step, phase.name, numbers)
        done += len(numbers)
        terms = 0
        modules = parts.modules.values()
        with groups.at_once(len(numbers)), groups_in_turn(modules), offloading(modules, kept, params[0].device):
            for term in phase.loss(real, draws, report):
                terms += 1
                last = buckets is not None and done == count and terms == buckets.terms
                # Averaged over groups, so that a step does not depend on how many there are.
                if term.requires_grad:
                    with buckets.last_pass() if buckets is not None and last else nullcontext():
                        (term * (phase.interval * len(numbers) / count)).backward()
        if buckets is not None:
            if buckets.terms not in (None, terms):
                raise RuntimeError(f"phase {phase.name} yielded {terms} terms, and {buckets.terms} before")
            buckets.terms = terms
    if buckets is not None:
        buckets.finish()
    for param in params:
        param.requires_grad_(False)
    return [param.grad for param in params if param.grad is not None]


def step_optimizer(parts: Parts, phase: Phase, gradients: list[Tensor]) -> None:
    """Replace gradients that are not finite, and let the optimiser of the phase step."""
    for gradient in gradients:
        torch.nan_to_num(gradient, nan=0, posinf=1e5, neginf=-1e5, out=gradient)
    parts.optimizers[phase.optimizer].step()
