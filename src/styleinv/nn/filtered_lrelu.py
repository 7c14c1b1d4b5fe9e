"""Leaky ReLU between an up- and a down-sampling, so that it makes no frequencies that the grid cannot hold
(Karras et al. 2021, "Alias-free generative adversarial networks", section 3.2)."""

import math

import torch.nn.functional as F
from torch import Tensor

from styleinv.nn.resample import Padding, upfirdn2d


def filtered_lrelu(
    x: Tensor,
    fu: Tensor | None = None,
    fd: Tensor | None = None,
    b: Tensor | None = None,
    up: int = 1,
    down: int = 1,
    padding: Padding = 0,
    gain: float = math.sqrt(2),
    slope: float = 0.2,
    clamp: float | None = None,
) -> Tensor:
    """Add a bias, up-sample, leaky ReLU, clamp, down-sample.

    Args:
        x: [N, C, H, W].
        fu, fd: taps of the up- and down-sampling filters, or None.
        b: [C].
        padding: in up-sampled pixels; negative values crop.
        gain: factor on the activation.
        clamp: to +-clamp after the activation.

    Returns:
        [N, C, H', W'], W' = (W up + x0 + x1 - (taps_up - 1) - (taps_down - 1) + down - 1) // down.
    """
    if b is not None:
        x = x + b.to(x.dtype).reshape(1, -1, 1, 1)
    x = upfirdn2d(x, fu, up=up, padding=padding, gain=up**2)
    x = F.leaky_relu(x, slope) * gain
    x = x if clamp is None else x.clamp(-clamp, clamp)
    return upfirdn2d(x, fd, down=down)
