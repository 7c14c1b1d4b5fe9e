"""Gradients averaged over processes in parts, each on its way while the backward pass is still at the others."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch.distributed as dist
from torch import Tensor, nn

from styleinv.training.distribution import World

# Bytes of gradients that are exchanged together; what torch's own distributed training takes.
SIZE = 25 * 2**20


class Buckets:
    """The gradients of one phase's parameters.

    A gradient is complete with the last backward pass of a step, and many tensors are small: those that follow each
    other backwards through the network are put together, and a bucket goes as soon as it and those before it are
    complete. What the last pass does not reach goes when it has ended. Every process must reach the same parameters.

    Args:
        world: the processes.
        parameters: in the order of the network.

    Attributes:
        terms: how many backward passes a pass over groups takes in the phase; None until one has been seen.
    """

    def __init__(self, world: World, parameters: Sequence[nn.Parameter]):
        self.terms: int | None = None
        self._world = world
        self._buckets: list[list[nn.Parameter]] = [[]]
        size = 0
        for parameter in reversed(parameters):
            if size + parameter.nbytes > SIZE and self._buckets[-1]:
                self._buckets.append([])
                size = 0
            self._buckets[-1].append(parameter)
            size += parameter.nbytes
        self._sent = 0
        self._under_way: list[tuple[list[Tensor], Tensor, dist.Work]] = []

    @contextmanager
    def last_pass(self) -> Iterator[None]:
        """Exchange gradients during the backward pass of this block, which is the last of a step."""
        if self._world.size == 1:
            yield
            return
        place = {id(p): number for number, bucket in enumerate(self._buckets) for p in bucket}
        missing = [len(bucket) for bucket in self._buckets]

        def complete(parameter: nn.Parameter) -> None:
            missing[place[id(parameter)]] -= 1
            # Always in one order, as all processes must exchange the same at once.
            while self._sent < len(missing) and not missing[self._sent]:
                self._send()

        hooks = [p.register_post_accumulate_grad_hook(complete) for bucket in self._buckets for p in bucket]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def finish(self) -> None:
        """Exchange what is left, and put the means over processes where the gradients are."""
        if self._world.size == 1:
            return
        while self._sent < len(self._buckets):
            self._send()
        for gradients, flat, work in self._under_way:
            with self._world.contact():
                work.wait()
            flat /= self._world.size
            for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
                gradient.copy_(part.reshape(gradient.shape))
        self._sent, self._under_way = 0, []

    def _send(self) -> None:
        gradients = [p.grad for p in self._buckets[self._sent] if p.grad is not None]
        self._sent += 1
        if gradients:
            self._under_way.append((gradients, *self._world.start_sum(gradients)))
