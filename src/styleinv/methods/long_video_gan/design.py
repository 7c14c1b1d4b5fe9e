"""Which sizes, sampling rates and filters the layers of the super-resolution generator have (StyleGAN3's design)."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.signal
import torch
from torch import Tensor


@dataclass(frozen=True)
class LayerDesign:
    """One layer; sizes are (width, height), pads (left, right, top, bottom)."""

    in_channels: int
    out_channels: int
    in_size: tuple[int, int]
    out_size: tuple[int, int]
    in_rate: float
    out_rate: float
    tmp_rate: float
    in_cutoff: float
    out_cutoff: float
    in_half_width: float
    out_half_width: float
    up: int
    down: int
    up_taps: int
    down_taps: int
    padding: tuple[int, int, int, int]
    critically_sampled: bool
    torgb: bool

    def filters(self) -> tuple[Tensor | None, Tensor | None]:
        """Compute the taps of up- and down-sampling; None for none."""
        return (
            lowpass(self.up_taps, self.in_cutoff, self.in_half_width * 2, self.tmp_rate),
            lowpass(self.down_taps, self.out_cutoff, self.out_half_width * 2, self.tmp_rate),
        )


def lowpass(taps: int, cutoff: float, width: float, fs: float) -> Tensor | None:
    """Design a Kaiser low-pass filter; a single tap is no filter."""
    if taps == 1:
        return None
    return torch.as_tensor(scipy.signal.firwin(taps, cutoff, width=width, fs=fs), dtype=torch.float32)


def design(
    img_width: int,
    img_height: int,
    cond_channels: int,
    img_channels: int = 3,
    channel_base: int = 32768,
    channel_max: int = 512,
    num_layers: int = 14,
    num_critical: int = 2,
    first_cutoff: float = 2,
    first_stopband: float = 2**2.1,
    last_stopband_rel: float = 2**0.3,
    margin_size: int = 10,
    filter_size: int = 6,
    kernel: int = 3,
) -> list[LayerDesign]:
    """Design the layers and, last, ToRGB.

    Cutoffs grow geometrically from `first_cutoff` to half the image's long edge, which the last `num_critical` layers
    share. The condition's channels are concatenated to every layer's input and are the whole input of the first.
    """
    edge = max(img_width, img_height)
    last_cutoff = edge / 2
    exponents = np.minimum(np.arange(num_layers + 1) / (num_layers - num_critical), 1)
    cutoffs = first_cutoff * (last_cutoff / first_cutoff) ** exponents
    stopbands = first_stopband * (last_cutoff * last_stopband_rel / first_stopband) ** exponents
    rates = np.exp2(np.ceil(np.log2(np.minimum(stopbands * 2, edge))))
    half_widths = np.maximum(stopbands, rates / 2) - cutoffs
    sizes = []
    for rate in rates:
        inner = (rate * min(1, img_width / img_height), rate * min(1, img_height / img_width))
        sizes.append((math.ceil(inner[0]) + 2 * margin_size, math.ceil(inner[1]) + 2 * margin_size))
    sizes[-2:] = [(img_width, img_height)] * 2
    channels = np.rint(np.minimum(channel_base / 2 / cutoffs, channel_max)).astype(int)
    channels[-1] = img_channels

    layers = []
    for i in range(num_layers + 1):
        before, torgb = max(i - 1, 0), i == num_layers
        tmp_rate = max(rates[before], rates[i]) * (1 if torgb else 2)
        up, down = int(tmp_rate / rates[before]), int(tmp_rate / rates[i])
        up_taps = filter_size * up if up > 1 and not torgb else 1
        down_taps = filter_size * down if down > 1 and not torgb else 1
        padding: list[int] = []
        for size_in, size_out in zip(sizes[before], sizes[i], strict=True):
            total = (size_out - 1) * down + 1 - (size_in + (1 if torgb else kernel) - 1) * up + up_taps + down_taps - 2
            padding += [(total + up) // 2, total - (total + up) // 2]
        layers.append(
            LayerDesign(
                in_channels=cond_channels + (int(channels[before]) if i else 0),
                out_channels=int(channels[i]),
                in_size=sizes[before],
                out_size=sizes[i],
                in_rate=float(rates[before]),
                out_rate=float(rates[i]),
                tmp_rate=float(tmp_rate),
                in_cutoff=float(cutoffs[before]),
                out_cutoff=float(cutoffs[i]),
                in_half_width=float(half_widths[before]),
                out_half_width=float(half_widths[i]),
                up=up,
                down=down,
                up_taps=up_taps,
                down_taps=down_taps,
                padding=(padding[0], padding[1], padding[2], padding[3]),
                critically_sampled=i >= num_layers - num_critical,
                torgb=torgb,
            )
        )
    return layers
