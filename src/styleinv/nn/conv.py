"""Convolutions with built-in resampling, and StyleGAN2's weight modulation."""

import torch
import torch.nn.functional as F
from torch import Tensor

from styleinv.nn.resample import Padding, expand_padding, filter_size, upfirdn2d


def conv2d_resample(
    x: Tensor,
    w: Tensor,
    f: Tensor | None = None,
    up: int = 1,
    down: int = 1,
    padding: Padding = 0,
    groups: int = 1,
    flip_weight: bool = True,
    flip_filter: bool = False,
) -> Tensor:
    """Convolve with optional up- or down-sampling by the FIR filter `f`.

    Args:
        x: [N, C, H, W].
        w: [O, C // groups, k, k].
        f: taps from `setup_filter`.
        padding: with respect to the up-sampled image, applied once before everything.
        flip_weight: True correlates (torch's conv2d), False convolves.
        flip_filter: the same for `f`.

    Returns:
        [N, O, H * up // down, W * up // down] for "same" padding.
    """
    k_h, k_w = w.shape[2:]
    f_w, f_h = filter_size(f)
    x0, x1, y0, y1 = expand_padding(padding)
    if up > 1:
        x0, x1 = x0 + (f_w + up - 1) // 2, x1 + (f_w - up) // 2
        y0, y1 = y0 + (f_h + up - 1) // 2, y1 + (f_h - up) // 2
    if down > 1:
        x0, x1 = x0 + (f_w - down + 1) // 2, x1 + (f_w - down) // 2
        y0, y1 = y0 + (f_h - down + 1) // 2, y1 + (f_h - down) // 2

    if k_h == k_w == 1 and up == 1 and down > 1:
        return F.conv2d(upfirdn2d(x, f, 1, down, [x0, x1, y0, y1], flip_filter), w, groups=groups)
    if k_h == k_w == 1 and up > 1 and down == 1:
        return upfirdn2d(F.conv2d(x, w, groups=groups), f, up, 1, [x0, x1, y0, y1], flip_filter, up**2)
    if up == 1 and down > 1:
        x = upfirdn2d(x, f, 1, 1, [x0, x1, y0, y1], flip_filter)
        return F.conv2d(x, _orient(w, flip_weight), stride=down, groups=groups)
    if up > 1:
        # The transposed convolution is a true convolution of the zero-inserted image.
        x0, x1, y0, y1 = x0 - (k_w - 1), x1 - (k_w - up), y0 - (k_h - 1), y1 - (k_h - up)
        crop_x, crop_y = max(min(-x0, -x1), 0), max(min(-y0, -y1), 0)
        kernel = _orient(w, not flip_weight).reshape(groups, -1, *w.shape[1:]).transpose(1, 2).flatten(0, 1)
        needs_grad = torch.is_grad_enabled() and (x.requires_grad or w.requires_grad)
        if x.device.type == "cpu" and groups == 1 and not needs_grad:
            # On a CPU the result comes in this layout, and is copied back for inputs in the other: forward passes are
            # faster without that copy, backward passes are not (benchmarks/suite/networks.py).
            x = x.contiguous(memory_format=torch.channels_last)
        x = F.conv_transpose2d(x, kernel, stride=up, padding=(crop_y, crop_x), groups=groups)
        x = upfirdn2d(x, f, 1, 1, [x0 + crop_x, x1 + crop_x, y0 + crop_y, y1 + crop_y], flip_filter, up**2)
        return upfirdn2d(x, f, 1, down, 0, flip_filter) if down > 1 else x
    if x0 == x1 >= 0 and y0 == y1 >= 0:
        return F.conv2d(x, _orient(w, flip_weight), padding=(y0, x0), groups=groups)
    return F.conv2d(F.pad(x, [x0, x1, y0, y1]), _orient(w, flip_weight), groups=groups)


def _orient(w: Tensor, correlate: bool) -> Tensor:
    return w if correlate or w.shape[2] == w.shape[3] == 1 else w.flip([2, 3])


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    noise: Tensor | None = None,
    up: int = 1,
    down: int = 1,
    padding: int = 0,
    resample_filter: Tensor | None = None,
    demodulate: bool = True,
    flip_weight: bool = True,
    gain: float = 1.0,
) -> Tensor:
    """Scale inputs by style, convolve, normalise outputs and add noise (Karras et al. 2020, section 2.2).

    Demodulation never forms per-sample weights: sum((w * s)^2) over inputs and taps is (s^2) @ (sum_taps w^2)^T.

    Args:
        x: [N, I, H, W].
        weight: [O, I, k, k].
        styles: [N, I].
        noise: broadcastable to the result, or None.
        gain: factor on the result; folded into the demodulation.

    Returns:
        [N, O, H', W'].
    """
    if x.dtype == torch.float16 and demodulate:
        # Keeps float16 products in range; demodulation cancels both factors.
        weight = weight / (weight.shape[1:].numel() ** 0.5 * weight.abs().amax(dim=[1, 2, 3], keepdim=True))
        styles = styles / styles.abs().amax(dim=1, keepdim=True)
    out = conv2d_resample(
        x * styles.to(x.dtype)[:, :, None, None],
        weight.to(x.dtype),
        resample_filter,
        up,
        down,
        padding,
        flip_weight=flip_weight,
    )
    if demodulate:
        energy = styles.square() @ weight.square().sum(dim=[2, 3]).t()
        scale = ((energy + 1e-8).rsqrt() * gain).to(x.dtype)[:, :, None, None]
        return out * scale if noise is None else torch.addcmul(noise.to(x.dtype) * gain, out, scale)
    if gain != 1:
        out = out * gain
    return out if noise is None else out + noise.to(x.dtype) * gain
