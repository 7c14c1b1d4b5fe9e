"""Exponential moving average of weights."""

import math
from typing import Literal

import torch
from torch import Tensor, nn


def ema_beta(batch: int, ema_kimg: float, rampup: float | None = None, cur_nimg: int = 0) -> float:
    """Compute the decay per step for a half-life of `ema_kimg` thousand images; `rampup` shortens it early on."""
    half_life = ema_kimg * 1000
    if rampup is not None:
        half_life = min(half_life, cur_nimg * rampup)
    return 0.5 ** (batch / max(half_life, 1e-8))


def ramped_beta(step: int, beta: float = 0.99985, rampup_steps: int = 25_000) -> float:
    """Long-Video-GAN's decay at a step: averages are short-lived at first; after the ramp it is `beta`."""
    halflife = math.log(0.5, beta)
    return min(0.5 ** ((rampup_steps + 1) / (step + 1) / halflife), beta)


@torch.no_grad()
def update_ema(
    average: nn.Module, module: nn.Module, beta: float, buffers: Literal["copy", "follow", "keep"] = "copy"
) -> None:
    """Move parameters of `average` towards `module`.

    Its buffers (such as BatchNorm statistics and w_avg) are copied, or move likewise, or stay its own.
    """
    slow: list[Tensor] = [p.data for p in average.parameters()]
    fast: list[Tensor] = [p.data for p in module.parameters()]
    torch._foreach_lerp_(slow, fast, 1 - beta)
    kept, current = list(average.buffers()), list(module.buffers())
    if buffers == "keep" or not kept:
        return
    if buffers == "follow":
        torch._foreach_lerp_(kept, current, 1 - beta)
    else:
        torch._foreach_copy_(kept, current)
