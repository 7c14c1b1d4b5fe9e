"""Dense convolutions of the encoders on a CPU: in channels-last, the gradient of the weights by products of matrices.

oneDNN convolves 64 and 128 channels in channels-last up to 1.4 times as fast as in PyTorch's usual layout, forward and
to the input, but takes two to four times as long for the gradient of the weights. That gradient is a sum over all
pixels: one product of matrices for each tap of the kernel, as fast as oneDNN's best, and nearer to the exact one.

Each of the three operations below is linear in both of its tensors, and its gradients are the other two, so gradients
of any order stay on this path. Generators and discriminators gain nothing from it: gradients of gradients, as their
regularisations need them, are faster in PyTorch's way.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Multiplications from which products of matrices are faster than oneDNN for the gradient of the weights.
LARGE = 2**28


class Conv2d(nn.Conv2d):
    """`torch.nn.Conv2d` of one group, square strides and numeric padding; float32 on a CPU comes in channels-last."""

    padding: tuple[int, int]

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x [N, I, H, W] into [N, O, H', W']."""
        if x.device.type != "cpu" or x.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        x = x.contiguous(memory_format=torch.channels_last)
        y = _Convolve.apply(x, self.weight, self.stride[0], self.padding)
        return y if self.bias is None else y + self.bias[:, None, None]


class _Convolve(torch.autograd.Function):
    """Convolve x by w."""

    @staticmethod
    def forward(ctx, x, w, stride, pads):  # noqa: D102
        ctx.save_for_backward(x, w)
        ctx.options = stride, pads
        return F.conv2d(x, w, stride=stride, padding=pads)

    @staticmethod
    def backward(ctx, g):  # noqa: D102
        x, w = ctx.saved_tensors
        needs, g = ctx.needs_input_grad, g.contiguous(memory_format=torch.channels_last)
        to_x = _Spread.apply(g, w, x.shape[2:], *ctx.options) if needs[0] else None
        return to_x, _Correlate.apply(x, g, w.shape[2:], *ctx.options) if needs[1] else None, None, None


class _Spread(torch.autograd.Function):
    """The gradient of `_Convolve` to x, of the given height and width: a transposed convolution of g by w."""

    @staticmethod
    def forward(ctx, g, w, size, stride, pads):  # noqa: D102
        ctx.save_for_backward(g, w)
        ctx.options = stride, pads
        left = [size[i] - ((g.shape[2 + i] - 1) * stride - 2 * pads[i] + w.shape[2 + i]) for i in (0, 1)]
        return F.conv_transpose2d(g, w, stride=stride, padding=pads, output_padding=left)

    @staticmethod
    def backward(ctx, x):  # noqa: D102
        g, w = ctx.saved_tensors
        needs, x = ctx.needs_input_grad, x.contiguous(memory_format=torch.channels_last)
        to_g = _Convolve.apply(x, w, *ctx.options) if needs[0] else None
        return to_g, _Correlate.apply(x, g, w.shape[2:], *ctx.options) if needs[1] else None, None, None, None


class _Correlate(torch.autograd.Function):
    """The gradient of `_Convolve` to w, of the given height and width."""

    @staticmethod
    def forward(ctx, x, g, size, stride, pads):  # noqa: D102
        ctx.save_for_backward(x, g)
        ctx.options = stride, pads
        if size == (1, 1) or size[0] * size[1] * x.shape[1] * g.numel() < LARGE:
            w = x.new_empty([]).expand(g.shape[1], x.shape[1], *size)
            mask, flags = [False, True, False], ([stride] * 2, pads, [1, 1], False, [0, 0], 1)
            return torch.ops.aten.convolution_backward(g, x, w, None, *flags, mask)[1]
        return _by_products(x, g, size, stride, pads)

    @staticmethod
    def backward(ctx, w):  # noqa: D102
        x, g = ctx.saved_tensors
        needs = ctx.needs_input_grad
        to_x = _Spread.apply(g, w, x.shape[2:], *ctx.options) if needs[0] else None
        return to_x, _Convolve.apply(x, w, *ctx.options) if needs[1] else None, None, None, None


def _by_products(x: Tensor, g: Tensor, size: tuple[int, int], stride: int, pads: tuple[int, int]) -> Tensor:
    """Sum x and g over all pixels, for each tap of the kernel by one product of matrices."""
    (n, channels), (k_h, k_w), (rows, columns) = x.shape[:2], size, g.shape[2:]
    # Pixels that are a stride apart lie together in a phase of x. A phase is as wide as g with zeros at its end, so
    # that a tap moves all pixels by the same distance, and what a tap takes from the row below meets a zero.
    high, wide = rows + (k_h - 1) // stride, columns + (k_w - 1) // stride
    below, right = high * stride - x.shape[2] - pads[0], wide * stride - x.shape[3] - pads[1]
    x = F.pad(x, [pads[1], right, pads[0], below]).permute(0, 2, 3, 1)
    phases = [[x[:, i::stride, j::stride].reshape(-1, channels) for j in range(stride)] for i in range(stride)]
    g = F.pad(g, [0, wide - columns, 0, high - rows]).permute(0, 2, 3, 1).reshape(n * high * wide, -1).t()
    w = x.new_empty([k_h, k_w, g.shape[0], channels])
    for i in range(k_h):
        for j in range(k_w):
            pixels = phases[i % stride][j % stride][i // stride * wide + j // stride :]
            torch.mm(g[:, : len(pixels)], pixels, out=w[i, j])
    return w.permute(2, 3, 0, 1)
