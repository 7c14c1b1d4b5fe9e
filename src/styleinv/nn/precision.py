"""Widths and half-precision ranges shared by StyleGAN2-like networks."""

import math
from typing import Literal

import torch

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
