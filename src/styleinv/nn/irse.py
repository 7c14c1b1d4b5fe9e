"""The IR-SE-50 backbone of pSp's inversion encoder, StyleInV's modulated encoder and the ArcFace identity net."""

import torch
from torch import Tensor, nn

from styleinv.nn.channels_last import Conv2d
from styleinv.nn.norms import BatchNorm2d


class SEModule(nn.Module):
    """Squeeze-and-excitation: rescale channels [N, C, H, W] by a gate of their means."""

    def __init__(self, channels: int, reduction: int = 16):
        super().__init__()
        squeezed = max(channels // reduction, 1)
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = Conv2d(channels, squeezed, 1, bias=False)
        self.relu = nn.ReLU()
        self.fc2 = Conv2d(squeezed, channels, 1, bias=False)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.sigmoid(self.fc2(self.relu(self.fc1(self.avg_pool(x)))))


class Subsample(nn.Module):
    """Keep every `stride`-th pixel of both axes.

    This is the reference's max pooling over windows of one pixel, but autograd keeps no places of maxima for it.
    """

    def __init__(self, stride: int):
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x if self.stride == 1 else x[:, :, :: self.stride, :: self.stride]


class BottleneckIRSE(nn.Module):
    """One IR-SE unit [N, in, H, W] -> [N, depth, H / stride, W / stride]; no activation after the sum."""

    def __init__(self, in_channel: int, depth: int, stride: int):
        super().__init__()
        self.shortcut_layer: nn.Module
        if in_channel == depth:
            self.shortcut_layer = Subsample(stride)
        else:
            self.shortcut_layer = nn.Sequential(Conv2d(in_channel, depth, 1, stride, bias=False), BatchNorm2d(depth))
        self.res_layer = nn.Sequential(
            BatchNorm2d(in_channel),
            Conv2d(in_channel, depth, 3, 1, 1, bias=False),
            nn.PReLU(depth),
            Conv2d(depth, depth, 3, stride, 1, bias=False),
            BatchNorm2d(depth),
            SEModule(depth),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.res_layer(x) + self.shortcut_layer(x)


def irse_units(
    widths: tuple[int, ...] = (64, 64, 128, 256, 512), units: tuple[int, ...] = (3, 4, 14, 3)
) -> tuple[nn.Sequential, nn.Sequential, list[int]]:
    """Build (input_layer, body, index of the last unit of each group); IR-SE-50 by default.

    The first unit of every group halves the resolution.
    """
    first = nn.Sequential(Conv2d(3, widths[0], 3, 1, 1, bias=False), BatchNorm2d(widths[0]), nn.PReLU(widths[0]))
    body, last = [], []
    for group, count in enumerate(units):
        body.append(BottleneckIRSE(widths[group], widths[group + 1], 2))
        body += [BottleneckIRSE(widths[group + 1], widths[group + 1], 1) for _ in range(count - 1)]
        last.append(len(body) - 1)
    return first, nn.Sequential(*body), last


class ArcFace(nn.Module):
    """IR-SE-50 face recognition (Deng et al. 2019): unit vectors [N, 512] of faces [N, 3, 112, 112] in [-1, 1]."""

    def __init__(self):
        super().__init__()
        self.input_layer, self.body, _ = irse_units()
        self.output_layer = nn.Sequential(
            BatchNorm2d(512), nn.Dropout(0.6), nn.Flatten(), nn.Linear(512 * 7 * 7, 512), nn.BatchNorm1d(512)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.output_layer(self.body(self.input_layer(x)))
        return x / torch.linalg.vector_norm(x, dim=1, keepdim=True)
