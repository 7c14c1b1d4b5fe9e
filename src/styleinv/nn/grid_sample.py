"""Bilinear grid sampling that can be differentiated twice on every torch version we support.

torch's own double backward of grid_sample is missing in some releases; ADA needs it for R1 through the augmentation.
The grid itself gets no gradient.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def grid_sample(x: Tensor, grid: Tensor) -> Tensor:
    """Sample x [N, C, H, W] at grid [N, H', W', 2] in [-1, 1]: [N, C, H', W']; zeros outside, corners not aligned."""
    return _GridSample.apply(x, grid)


class _GridSample(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, grid):  # noqa: D102
        ctx.save_for_backward(grid)
        ctx.shape = x.shape
        return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    @staticmethod
    def backward(ctx, grad):  # noqa: D102
        (grid,) = ctx.saved_tensors
        return _GridSampleAdjoint.apply(grad, grid, ctx.shape), None


class _GridSampleAdjoint(torch.autograd.Function):
    @staticmethod
    def forward(ctx, grad, grid, shape):  # noqa: D102
        ctx.save_for_backward(grid)
        x = grad.new_empty(1).expand(shape)
        return torch.ops.aten.grid_sampler_2d_backward(grad, x, grid, 0, 0, False, [True, False])[0]

    @staticmethod
    def backward(ctx, grad):  # noqa: D102
        (grid,) = ctx.saved_tensors
        return _GridSample.apply(grad, grid), None, None
