"""What the host hands to the device of a network, without waiting for it."""

from collections.abc import Sequence

import torch
from torch import Tensor


def pinned(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Give a host tensor in memory from which `device` copies without the host: pinned for a GPU, else as it is."""
    return tensor.pin_memory() if torch.device(device).type == "cuda" else tensor


def to_device(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Copy a host tensor to `device`; the host does not wait for a GPU, which copies in the order of its work."""
    # The allocator of pinned memory knows of the copy and keeps the memory until it is done.
    return pinned(tensor, device).to(device, non_blocking=True)


def packed_to_device(tensors: Sequence[Tensor], device: torch.device | str) -> list[Tensor]:
    """Copy host tensors of one type to `device` as one transfer; on a CPU they are what they were."""
    device = torch.device(device)
    if device.type == "cpu" or not tensors:
        return list(tensors)
    flat = to_device(torch.cat([tensor.flatten() for tensor in tensors]), device)
    parts = flat.split([tensor.numel() for tensor in tensors])
    return [part.reshape(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
