"""FIR resampling: pad, insert zeros, filter, decimate (StyleGAN2's upfirdn2d), with gradients of any order.

The backward pass of this linear operation is the same operation with the roles of `up` and `down` exchanged, so one
autograd function that calls itself is differentiable as often as R1 and path-length regularisation need, without the
slow double backward of grouped convolutions.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Padding = int | Sequence[int]
Scale = int | Sequence[int]


def setup_filter(
    taps: Sequence[float] | Tensor | None,
    normalize: bool = True,
    flip_filter: bool = False,
    gain: float = 1.0,
    separable: bool | None = None,
) -> Tensor:
    """Prepare FIR taps as a float32 buffer.

    Args:
        taps: 1-D or 2-D taps, or None for the identity. 1-D lists of fewer than 8 taps become their outer product;
            longer ones stay 1-D and are applied separably.
        normalize: divide by the sum.
        flip_filter: reverse all axes.
        gain: total gain; a separable filter gets its square root per axis.
        separable: keep 1-D taps 1-D; by default when there are at least 8.

    Returns:
        [K] or [K, K].
    """
    kernel = torch.as_tensor(1.0 if taps is None else taps, dtype=torch.float32)
    kernel = kernel[None] if kernel.ndim == 0 else kernel
    if kernel.ndim == 1 and not (kernel.numel() >= 8 if separable is None else separable):
        kernel = torch.outer(kernel, kernel)
    if normalize:
        kernel = kernel / kernel.sum()
    if flip_filter:
        kernel = kernel.flip(list(range(kernel.ndim)))
    return kernel * gain ** (kernel.ndim / 2)


def upfirdn2d(
    x: Tensor,
    f: Tensor | None,
    up: Scale = 1,
    down: Scale = 1,
    padding: Padding = 0,
    flip_filter: bool = False,
    gain: float = 1.0,
) -> Tensor:
    """Up-sample by zero insertion, pad, convolve, down-sample.

    Args:
        x: [N, C, H, W].
        f: taps from `setup_filter`, or None.
        up, down: factor or (x, y) factors. `up - 1` zeros follow every sample.
        padding: p, (x, y) or (x0, x1, y0, y1) in up-sampled pixels; negative values crop.
        flip_filter: correlate instead of convolve.
        gain: factor on the result.

    Returns:
        [N, C, (H * up_y + y0 + y1 - K) // down_y + 1, ...].
    """
    up_x, up_y = _pair(up)
    down_x, down_y = _pair(down)
    x0, x1, y0, y1 = expand_padding(padding)
    if f is None:
        f = torch.ones([1, 1], device=x.device)
    if f.ndim == 2:
        return _Upfirdn.apply(x, f * gain, up_x, up_y, down_x, down_y, x0, x1, y0, y1, flip_filter)
    f = f * gain**0.5
    x = _Upfirdn.apply(x, f[None, :], up_x, 1, down_x, 1, x0, x1, 0, 0, flip_filter)
    return _Upfirdn.apply(x, f[:, None], 1, up_y, 1, down_y, 0, 0, y0, y1, flip_filter)


def upsample2d(
    x: Tensor, f: Tensor, up: Scale = 2, padding: Padding = 0, flip_filter: bool = False, gain: float = 1.0
) -> Tensor:
    """Up-sample so that the result is `up` times the input; energy is kept."""
    x0, x1, y0, y1 = expand_padding(padding)
    up_x, up_y = _pair(up)
    w, h = filter_size(f)
    pads = [x0 + (w + up_x - 1) // 2, x1 + (w - up_x) // 2, y0 + (h + up_y - 1) // 2, y1 + (h - up_y) // 2]
    return upfirdn2d(x, f, up, 1, pads, flip_filter, gain * up_x * up_y)


def downsample2d(
    x: Tensor, f: Tensor, down: Scale = 2, padding: Padding = 0, flip_filter: bool = False, gain: float = 1.0
) -> Tensor:
    """Down-sample so that the result is the input divided by `down`."""
    x0, x1, y0, y1 = expand_padding(padding)
    down_x, down_y = _pair(down)
    w, h = filter_size(f)
    pads = [x0 + (w - down_x + 1) // 2, x1 + (w - down_x) // 2, y0 + (h - down_y + 1) // 2, y1 + (h - down_y) // 2]
    return upfirdn2d(x, f, 1, down, pads, flip_filter, gain)


def filter_size(f: Tensor | None) -> tuple[int, int]:
    """Return (width, height) of a filter in taps; (1, 1) for None."""
    return (1, 1) if f is None else (f.shape[-1], f.shape[0])


def expand_padding(padding: Padding) -> tuple[int, int, int, int]:
    """Expand p or (x, y) or (x0, x1, y0, y1) to (x0, x1, y0, y1)."""
    p = [padding] * 4 if isinstance(padding, int) else list(padding)
    if len(p) == 2:
        p = [p[0], p[0], p[1], p[1]]
    x0, x1, y0, y1 = p
    return x0, x1, y0, y1


def _pair(value: Scale) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    x, y = value
    return x, y


class _Upfirdn(torch.autograd.Function):
    """The operation for one 2-D filter; see the module's note on its gradient."""

    @staticmethod
    def forward(ctx, x, f, up_x, up_y, down_x, down_y, x0, x1, y0, y1, flip):  # noqa: D102
        y = _resample(x, f, up_x, up_y, down_x, down_y, x0, x1, y0, y1, flip)
        (k_h, k_w), (h, w), (out_h, out_w) = f.shape, x.shape[2:], y.shape[2:]
        ctx.save_for_backward(f)
        ctx.adjoint = (
            *(down_x, down_y, up_x, up_y),
            *(k_w - 1 - x0, w * up_x - out_w * down_x + x0 - up_x + 1),
            *(k_h - 1 - y0, h * up_y - out_h * down_y + y0 - up_y + 1),
            not flip,
        )
        return y

    @staticmethod
    def backward(ctx, grad):  # noqa: D102
        (f,) = ctx.saved_tensors
        return (_Upfirdn.apply(grad, f, *ctx.adjoint), *[None] * 10)


def _resample(
    x: Tensor,
    f: Tensor,
    up_x: int,
    up_y: int,
    down_x: int,
    down_y: int,
    x0: int,
    x1: int,
    y0: int,
    y1: int,
    flip: bool,
) -> Tensor:
    channels = x.shape[1]
    k_h, k_w = f.shape
    if x.device.type == "cpu" and channels <= 4:
        # Depthwise convolutions on the CPU are faster in this layout; of more channels than an image's the copy costs
        # more than it saves (benchmarks/suite/fir.py).
        x = x.contiguous(memory_format=torch.channels_last)
    if up_x == up_y == 1:
        # torch correlates, so a convolution takes the flipped kernel.
        kernel = (f if flip else f.flip([0, 1])).to(x.dtype)[None, None].expand(channels, 1, k_h, k_w)
        if x0 == x1 >= 0 and y0 == y1 >= 0:
            return F.conv2d(x, kernel, stride=(down_y, down_x), padding=(y0, x0), groups=channels)
        return F.conv2d(F.pad(x, [x0, x1, y0, y1]), kernel, stride=(down_y, down_x), groups=channels)
    # A strided transposed convolution is the full convolution of the zero-inserted input.
    kernel = (f.flip([0, 1]) if flip else f).to(x.dtype)[None, None].expand(channels, 1, k_h, k_w)
    h, w = x.shape[2:]
    left, top = x0 - (k_w - 1), y0 - (k_h - 1)
    right, bottom = x1 - (k_w - up_x), y1 - (k_h - up_y)
    # What is cropped alike at both ends is not computed, which also saves a copy of the result.
    crop_x, crop_y = max(min(-left, -right), 0), max(min(-top, -bottom), 0)
    full = F.conv_transpose2d(x, kernel, stride=(up_y, up_x), padding=(crop_y, crop_x), groups=channels)
    left, right, top, bottom = left + crop_x, right + crop_x, top + crop_y, bottom + crop_y
    if left or right or top or bottom:
        full = F.pad(full, [left, right, top, bottom])
    return full[:, :, ::down_y, ::down_x] if down_x * down_y > 1 else full
