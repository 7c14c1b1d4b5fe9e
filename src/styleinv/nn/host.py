"""What the host hands to the device of a network, without waiting for it."""

from collections.abc import Sequence

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Copy a host tensor to `device`: for a GPU through pinned memory, so that the host goes on at once."""
    device = torch.device(device)
    if device.type == "cuda":
        # The allocator of pinned memory knows of the copy and keeps the memory until it is done.
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def packed_to_device(tensors: Sequence[Tensor], device: torch.device | str) -> list[Tensor]:
    """Copy host tensors of one type to `device` as one transfer; on a CPU they are what they were."""
    device = torch.device(device)
    if device.type == "cpu" or not tensors:
        return list(tensors)
    flat = to_device(torch.cat([tensor.flatten() for tensor in tensors]), device)
    parts = flat.split([tensor.numel() for tensor in tensors])
    return [part.reshape(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
