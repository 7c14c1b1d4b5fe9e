"""The low-resolution discriminator: 3D convolutions that shrink a long clip, then 1D ones along time."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styleinv.nn.clip_resample import downsample_space, downsample_time, linear_filter
from styleinv.nn.layers import FullyConnectedLayer, bias_act

CLAMP = 256.0


class Downsample(nn.Module):
    """Halve space, then time, each only where asked for."""

    _downsample_filter: Tensor

    def __init__(self, space: bool, time: bool):
        super().__init__()
        self.space, self.time = space, time
        self.register_buffer("_downsample_filter", linear_filter(2))

    def forward(self, x: Tensor) -> Tensor:
        if self.space:
            x = downsample_space(x, self._downsample_filter)
        return downsample_time(x, self._downsample_filter) if self.time else x


class Conv(nn.Module):
    """Equalised convolution, down-sampling, bias and leaky ReLU; linear and without bias for skips.

    Args:
        kernel: [k] or [t, s, s].
    """

    def __init__(
        self, cin: int, cout: int, kernel: list[int], down: tuple[bool, bool] = (False, False), skip: bool = False
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.randn([cout, cin, *kernel]))
        self._bias = None if skip else nn.Parameter(torch.zeros([cout]))
        self.downsample = Downsample(*down) if any(down) else None

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight / math.sqrt(self.weight[0].numel())
        conv = F.conv1d if weight.ndim == 3 else F.conv3d
        x = conv(x, weight, padding=[size // 2 for size in weight.shape[2:]])
        if self.downsample is not None:
            x = self.downsample(x)
        return bias_act(x, self._bias, act="linear" if self._bias is None else "lrelu", clamp=CLAMP)


class Block(nn.Module):
    """A residual block; the first also reads the video."""

    def __init__(self, cin: int, cout: int, kernel: list[int], down: tuple[bool, bool], video: bool = False):
        super().__init__()
        if video:
            self.conv_vid = Conv(3, cin, [1, 1, 1])
        self.video = video
        self.conv_0 = Conv(cin, cin, kernel)
        self.conv_1 = Conv(cin, cout, kernel, down)
        self.conv_skip = Conv(cin, cout, [1, 1, 1], down, skip=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_vid(x) if self.video else x
        return (self.conv_1(self.conv_0(x)) + self.conv_skip(x)) * math.sqrt(0.5)


class Epilogue(nn.Module):
    """Turn features [N, C, T, h, w] into logits [N, 1]."""

    def __init__(self, features: int, frames: int, channels: int):
        super().__init__()
        self.conv1d_0 = Conv(features, channels, [1])
        for i in (1, 2, 3):
            setattr(self, f"conv1d_{i}", Conv(channels, channels, [3]))
        self.linear_0 = FullyConnectedLayer(channels * frames, channels, activation="lrelu")
        self.linear_1 = FullyConnectedLayer(channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 1, 3, 4, 2).flatten(1, 3)
        for i in range(4):
            x = getattr(self, f"conv1d_{i}")(x)
        return self.linear_1(self.linear_0(x.flatten(1)))


class LowResDiscriminator(nn.Module):
    """Score clips [N, 3, seq_length, H, W], whose smaller edges are padded to `max_edge` with zeros: logits [N, 1].

    Args:
        channels: widths of the video's features and after each of the four blocks.

    Raises:
        ValueError: if the padding would not be even.
    """

    def __init__(
        self,
        seq_length: int = 128,
        max_edge: int = 64,
        channels: tuple[int, int, int, int, int] = (32, 64, 128, 256, 512),
        epilogue_channels: int = 1024,
    ):
        super().__init__()
        self.max_edge = max_edge
        blocks = [Block(channels[0], channels[1], [1, 3, 3], (max_edge > 32, False), video=True)]
        frames, edge = seq_length, max_edge // 2 if max_edge > 32 else max_edge
        for i, least in ((1, 4), (2, 8), (3, 16)):
            shorter = seq_length >= least
            blocks.append(Block(channels[i], channels[i + 1], [5, 3, 3], (True, shorter)))
            frames, edge = frames // 2 if shorter else frames, edge // 2
        self.blocks = nn.ModuleList(blocks)
        self.epilogue = Epilogue(channels[-1] * edge**2, frames, epilogue_channels)

    def forward(self, video: Tensor) -> Tensor:
        missing = [self.max_edge - size for size in video.shape[3:]]
        if any(size % 2 or size < 0 for size in missing):
            raise ValueError(f"frames of {list(video.shape[3:])} cannot be padded evenly to {self.max_edge}")
        top, left = (size // 2 for size in missing)
        x = F.pad(video, [left, left, top, top])
        for block in self.blocks:
            x = block(x)
        return self.epilogue(x)
