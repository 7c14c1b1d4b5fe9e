"""Batch normalisation over all processes; torch's own works on GPUs only, this one on CPUs as well."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from styleinv.nn.norms import BatchNorm2d


class SyncBatchNorm2d(BatchNorm2d):
    """`BatchNorm2d` whose training statistics are those of one group of each process together.

    Every process must hold equally many values. Outside training, or in a single process, it is `BatchNorm2d`.

    Raises:
        ConnectionError: another process has ended.
    """

    @property
    def processes(self) -> int:
        """The number of processes that share the statistics."""
        return dist.get_world_size() if dist.is_initialized() else 1

    def one_group(self, x: Tensor) -> Tensor:
        """Normalise a group by the statistics of those that other processes normalise now."""
        if not self.training or self.processes == 1:
            return super().one_group(x)
        own = torch.stack([x.float().mean([0, 2, 3]), x.float().var([0, 2, 3], correction=0)])
        rows = [own if rank == dist.get_rank() else torch.zeros_like(own) for rank in range(self.processes)]
        means, variances = _Sum.apply(torch.stack(rows)).unbind(1)
        mean = means.mean(0)
        variance = (variances + (means - mean).square()).mean(0)
        self._follow(mean.detach(), variance.detach(), x.numel() // x.shape[1] * self.processes)
        assert self.weight is not None and self.bias is not None
        scale = self.weight * (variance + self.eps).rsqrt()
        shift = self.bias - mean * scale
        return x * scale.to(x.dtype)[:, None, None] + shift.to(x.dtype)[:, None, None]

    def _follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        assert self.num_batches_tracked is not None
        # New tensors, not new values: an earlier forward of the step may have saved the old ones.
        self.running_mean = self.running_mean.lerp(mean, self.momentum)
        self.running_var = self.running_var.lerp(variance * (count / (count - 1)), self.momentum)
        self.num_batches_tracked = self.num_batches_tracked + 1


class _Sum(torch.autograd.Function):
    """The sum over processes. As every process uses the sum, its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.detach().clone()
        try:
            dist.all_reduce(total)
        except RuntimeError as error:
            raise ConnectionError(str(error)) from error
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _Sum.apply(gradients[0])


def synchronize_batchnorm(module: nn.Module) -> nn.Module:
    """Replace every `nn.BatchNorm2d` inside `module`, in place, keeping parameters, statistics and names."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            new = SyncBatchNorm2d(child.num_features, eps=child.eps, momentum=child.momentum, device="meta")
            new._parameters.update(child._parameters)
            new._buffers.update(child._buffers)
            setattr(module, name, new.train(child.training))
        else:
            synchronize_batchnorm(child)
    return module
