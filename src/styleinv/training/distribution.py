"""Several processes, one batch: torchrun's environment, gloo on CPU and nccl on GPU."""

import os
from collections.abc import Iterable
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor


class World:
    """This process among all; a single process needs no process group.

    Attributes:
        rank, size: this process and how many there are.
        device: where its networks live.
    """

    def __init__(self, device: str = "auto"):
        self.rank, self.size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        use_cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
        local = int(os.environ.get("LOCAL_RANK", 0))
        self.device = torch.device("cuda", local) if use_cuda else torch.device("cpu")
        if self.size > 1 and not dist.is_initialized():
            if use_cuda:
                torch.cuda.set_device(self.device)
            dist.init_process_group("nccl" if use_cuda else "gloo", timeout=timedelta(seconds=60))

    def mean_gradients(self, gradients: list[Tensor]) -> None:
        """Average gradients over processes as one flat all-reduce, in place."""
        if self.size == 1 or not gradients:
            return
        flat = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(flat)
        flat /= self.size
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.reshape(gradient.shape))

    def sum(self, values: Tensor) -> Tensor:
        """Sum over processes."""
        if self.size > 1:
            values = values.to(self.device, copy=True)
            dist.all_reduce(values)
        return values.cpu()

    def gather(self, values: Tensor) -> Tensor:
        """Sum over processes on rank 0, zeros elsewhere: what was counted apart goes on being counted once."""
        total = self.sum(values)
        return total if self.rank == 0 else torch.zeros_like(total)

    def any(self, flag: int) -> int:
        """The largest flag over processes: all ranks stop together."""
        if self.size == 1:
            return flag
        value = torch.tensor(flag, device=self.device)
        dist.all_reduce(value, op=dist.ReduceOp.MAX)
        return int(value)

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Give every process the tensors of rank 0."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor.data, 0)

    def close(self) -> None:
        """Leave the process group."""
        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()
