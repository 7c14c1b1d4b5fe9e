"""Activations that wait for the backward pass in host memory instead of on the GPU."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn


def offloading(
    modules: Iterable[nn.Module], kept: float, device: torch.device
) -> AbstractContextManager[torch.autograd.graph.saved_tensors_hooks | None]:
    """Keep a share of what autograd saves on the device, and the rest on the host until it is needed.

    The numbers are the same bit by bit; only memory and time change. On a CPU, where both are one memory, and for
    `kept` 1 nothing is done.

    Args:
        modules: networks, whose parameters and buffers stay where they are.
        kept: share of the saved bytes that stays, 0 to 1.
        device: of the networks.
    """
    if kept >= 1 or device.type == "cpu":
        return nullcontext()
    return moved_away(modules, kept)


def moved_away(modules: Iterable[nn.Module], kept: float) -> torch.autograd.graph.saved_tensors_hooks:
    """Move what autograd saves to the host, but for a share of its bytes; see `offloading`."""
    own = {t.untyped_storage().data_ptr() for m in modules for t in (*m.parameters(), *m.buffers())}
    saved = stayed = 0

    def pack(tensor: Tensor) -> tuple[Tensor, torch.device]:
        nonlocal saved, stayed
        if tensor.untyped_storage().data_ptr() in own:
            return tensor, tensor.device
        saved += tensor.nbytes
        if stayed + tensor.nbytes <= kept * saved:
            stayed += tensor.nbytes
            return tensor, tensor.device
        return torch.empty_like(tensor, device="cpu", pin_memory=tensor.is_cuda).copy_(tensor), tensor.device

    return torch.autograd.graph.saved_tensors_hooks(pack, lambda packed: packed[0].to(packed[1]))
