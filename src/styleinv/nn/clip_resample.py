"""Resampling of time and space by fixed filters; outside are zeros, or the border repeated."""

import numpy as np
import scipy.signal
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styleinv.nn.resample import downsample2d, upsample2d


def linear_filter(scale: int) -> Tensor:
    """Make a tent of 2 * scale taps that sums to 1: [1, 3, 3, 1] / 8 for 2."""
    half = (np.arange(scale) + 0.5) / scale
    taps = np.concatenate([half, half[::-1]])
    return torch.tensor(taps / taps.sum(), dtype=torch.float32)


def kaiser_filter(scale: int) -> Tensor:
    """Make a low-pass filter of 6 * scale taps."""
    taps = scipy.signal.firwin(6 * scale, 1.0, width=6.0, fs=4 * scale)
    return torch.tensor(taps, dtype=torch.float32)


def upsample_time(x: Tensor, taps: Tensor, scale: int = 2, padding: int = 0) -> Tensor:
    """Up-sample clips [N, C, T, ...] to `scale` times as many frames; `padding` frames at both ends are repeated."""
    y = _repeat_ends(_along_time(x), padding, time=True)
    y = upsample2d(y, taps[:, None], (1, scale))
    return _crop(y, padding * scale, time=True).reshape(*x.shape[:2], -1, *x.shape[3:])


def downsample_time(x: Tensor, taps: Tensor, scale: int = 2, padding: int = 0) -> Tensor:
    """Down-sample clips [N, C, T, ...] to T // scale frames; `padding` counts repeated frames of the result."""
    y = _repeat_ends(_along_time(x), padding * scale, time=True)
    y = downsample2d(y, taps[:, None], (1, scale))
    return _crop(y, padding, time=True).reshape(*x.shape[:2], -1, *x.shape[3:])


def upsample_space(x: Tensor, taps: Tensor, scale: int = 2, padding: int = 0) -> Tensor:
    """Enlarge images [N, C, H, W] or clips [N, C, T, H, W] by `scale`."""
    y = _repeat_ends(_frames(x), padding, time=False)
    y = _crop(upsample2d(y, taps, scale), padding * scale, time=False)
    return y.reshape(*x.shape[:-2], *y.shape[2:])


def downsample_space(x: Tensor, taps: Tensor, scale: int = 2, padding: int = 0) -> Tensor:
    """Shrink images [N, C, H, W] or clips [N, C, T, H, W] by `scale`; `padding` counts pixels of the result."""
    y = _repeat_ends(_frames(x), padding * scale, time=False)
    y = _crop(downsample2d(y, taps, scale), padding, time=False)
    return y.reshape(*x.shape[:-2], *y.shape[2:])


def _along_time(x: Tensor) -> Tensor:
    """[N, C, T] or [N, C, T, H, W] -> [N, C, T, rest]: time where an image has its height."""
    return x.reshape(*x.shape[:3], -1)


def _frames(x: Tensor) -> Tensor:
    """All frames as the channels of one image each: [N, C (T), H, W]."""
    return x.flatten(1, -3)


def _repeat_ends(x: Tensor, count: int, time: bool) -> Tensor:
    sides = [0, 0, count, count] if time else [count] * 4
    return F.pad(x, sides, mode="replicate") if count else x


def _crop(x: Tensor, count: int, time: bool) -> Tensor:
    return F.pad(x, [0, 0, -count, -count] if time else [-count] * 4) if count else x


class Upsample(nn.Module):
    """Hold a fixed filter as a buffer called `filter`."""

    filter: Tensor

    def __init__(self, taps: Tensor):
        super().__init__()
        self.register_buffer("filter", taps)


def centre_crop(x: Tensor, size: int, dim: int) -> Tensor:
    """Cut out the middle `size` entries along a dimension."""
    return x.narrow(dim, (x.shape[dim] - size) // 2, size)
