"""The types that networks compute in, and widths and half-precision ranges shared by StyleGAN2-like networks."""

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch

# Of a training. float32 is what it says; tf32 lets a GPU round the factors of its float32 products to 10 bits; bfloat16
# has the encoders compute in it, see `computing`.
Precision = Literal["float32", "tf32", "bfloat16"]
HalfDtype = Literal["float16", "bfloat16"]
HALF: dict[HalfDtype, torch.dtype] = {"float16": torch.float16, "bfloat16": torch.bfloat16}


def channels_at(resolution: int, channel_base: int, channel_max: int) -> int:
    """Return the width of the networks at one resolution."""
    return min(channel_base // resolution, channel_max)


def half_from(img_resolution: int, num_fp16_res: int) -> int:
    """Return the lowest resolution that runs in half precision; above `img_resolution` when none does."""
    if num_fp16_res <= 0:
        return img_resolution * 2
    return max(2 ** (int(math.log2(img_resolution)) + 1 - num_fp16_res), 8)


def allow_tf32(allowed: bool) -> None:
    """Let GPUs compute products and convolutions of float32 as TF32, in the whole process, or forbid it."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed


def why_not(precision: Precision, device: torch.device) -> str | None:
    """Say why a device cannot compute in a precision; None where it can."""
    if precision == "tf32" and device.type != "cuda":
        return "needs a GPU"
    if precision == "tf32" and torch.cuda.get_device_capability(device) < (8, 0):
        return f"needs a GPU of compute capability 8.0, {torch.cuda.get_device_name(device)} has less"
    if precision == "bfloat16" and device.type == "cuda" and not torch.cuda.is_bf16_supported(False):
        return f"is not what {torch.cuda.get_device_name(device)} computes in"
    return None


def computing(precision: Precision, device: torch.device) -> AbstractContextManager[Any]:
    """Compute products and convolutions in bfloat16 where `precision` says so, by torch's autocast.

    Weights stay float32. Statistics of normalisations are float32 too: BatchNorm's are added up in it by torch, and
    what a network puts into `in_float32` stays in it.
    """
    return torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()


def in_float32(device: torch.device) -> AbstractContextManager[Any]:
    """Compute in the types of the operands, inside `computing` as well."""
    if torch.amp.is_autocast_available(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()
