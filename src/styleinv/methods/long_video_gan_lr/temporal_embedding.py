"""Noise at many time scales: white noise through low-pass filters of geometrically spaced widths."""

import math

import numpy as np
import scipy.signal
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class BlurredNoise(nn.Module):
    """Blur noise [B, channels / blur_widths, L + kernel_size - 1] into an embedding [B, channels, L].

    The filters are right-aligned, so that an output depends on the past alone.

    Args:
        channels: of the embedding, noise channel major and filter minor.
        blur_widths: filters per noise channel.
        min_sampling_rate, max_sampling_rate: of the narrowest and the widest filter, in frames.
        normalize_per_filter: 1 gives every filter's output unit variance, 0 leaves it.
    """

    output_scale: Tensor
    blur_filters: Tensor

    def __init__(
        self,
        channels: int = 1024,
        blur_widths: int = 128,
        min_sampling_rate: float = 250,
        max_sampling_rate: float = 10_000,
        normalize_per_filter: float = 1.0,
    ):
        super().__init__()
        if channels % blur_widths:
            raise ValueError(f"{channels} channels are not a multiple of {blur_widths} blur widths")
        self.channels, self.noise_channels = channels, channels // blur_widths
        # Rounded rates decide the number of taps, so they are computed as released.
        exponents = np.linspace(math.log(min_sampling_rate, 2), math.log(max_sampling_rate, 2), blur_widths)
        rates = np.clip(2.0**exponents, min_sampling_rate, max_sampling_rate)
        counts = np.ceil(rates / 2).astype(int)
        self.kernel_size = int(counts.max())
        filters = torch.zeros([blur_widths, 1, self.kernel_size])
        for row, (rate, count) in enumerate(zip(rates, counts, strict=True)):
            taps = scipy.signal.firwin(count, 2.0, width=12.0, fs=rate)
            filters[row, 0, self.kernel_size - count :] = torch.from_numpy(taps).float()
        scale = filters.square().sum(dim=[1, 2]).rsqrt()
        self.register_buffer("output_scale", (1 + normalize_per_filter * (scale - 1))[None, :, None])
        self.register_buffer("blur_filters", filters)

    def forward(self, noise: Tensor) -> Tensor:
        flat = noise.reshape(-1, 1, noise.shape[2])
        blurred = F.conv1d(flat, self.blur_filters) * self.output_scale
        return blurred.reshape(noise.shape[0], self.channels, -1)

    def noise_shape(self, batch: int, frames: int) -> tuple[int, int, int]:
        """Return the shape of the noise behind `frames` frames of embedding."""
        return batch, self.noise_channels, frames + self.kernel_size - 1
