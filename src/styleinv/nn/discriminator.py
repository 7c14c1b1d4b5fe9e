"""Blocks of StyleGAN2's discriminators."""

import math

import torch
from torch import Tensor, nn

from styleinv.nn import groups
from styleinv.nn.layers import Conv2dLayer, FullyConnectedLayer
from styleinv.nn.resample import downsample2d, setup_filter


class DiscriminatorBlock(nn.Module):
    """One resolution of the discriminator: (from RGB), two convolutions, down-sampling by 2.

    Args:
        in_channels: 0 for the first block, which reads the image.
        tmp_channels, out_channels: widths inside and after the block.
        architecture: `resnet`, `skip` or `orig`.
        first_layer_idx, freeze_layers: layers counted from the image; those below `freeze_layers` are not trained.
        half: dtype of this block, or None for float32.
    """

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        tmp_channels: int,
        out_channels: int,
        resolution: int,
        img_channels: int = 3,
        first_layer_idx: int = 0,
        architecture: str = "resnet",
        activation: str = "lrelu",
        resample_filter: tuple[float, ...] = (1, 3, 3, 1),
        conv_clamp: float | None = None,
        half: torch.dtype | None = None,
        freeze_layers: int = 0,
    ):
        super().__init__()
        self.in_channels, self.resolution = in_channels, resolution
        self.architecture, self.half_dtype = architecture, half
        self.register_buffer("resample_filter", setup_filter(resample_filter))
        self.num_layers = 0

        def conv(cin: int, cout: int, size: int, **options) -> Conv2dLayer:
            trainable = first_layer_idx + self.num_layers >= freeze_layers
            self.num_layers += 1
            return Conv2dLayer(cin, cout, size, trainable=trainable, resample_filter=resample_filter, **options)

        if in_channels == 0 or architecture == "skip":
            self.fromrgb = conv(img_channels, tmp_channels, 1, activation=activation, conv_clamp=conv_clamp)
        width_in = in_channels or tmp_channels
        self.conv0 = conv(width_in, tmp_channels, 3, activation=activation, conv_clamp=conv_clamp)
        self.conv1 = conv(tmp_channels, out_channels, 3, activation=activation, down=2, conv_clamp=conv_clamp)
        if architecture == "resnet":
            self.skip = conv(width_in, out_channels, 1, bias=False, down=2)

    def forward(self, x: Tensor | None, img: Tensor | None, force_fp32: bool = False) -> tuple[Tensor, Tensor | None]:
        """Bring features x [N, C, r, r], if any, and img [N, 3, r, r], if any, to r/2: [N, C', r/2, r/2], next img."""
        dtype = torch.float32 if force_fp32 or self.half_dtype is None else self.half_dtype
        x = None if x is None else x.to(dtype)
        if self.in_channels == 0 or self.architecture == "skip":
            assert img is not None
            img = img.to(dtype)
            y = self.fromrgb(img)
            x = y if x is None else x + y
            img = downsample2d(img, self.resample_filter) if self.architecture == "skip" else None
        assert x is not None
        if self.architecture == "resnet":
            y = self.skip(x, gain=math.sqrt(0.5))
            x = self.conv1(self.conv0(x), gain=math.sqrt(0.5))
            return y + x, img
        return self.conv1(self.conv0(x)), img


class MinibatchStdLayer(nn.Module):
    """Append the mean standard deviation over sub-groups of every group of samples as channels.

    Args:
        group_size: samples of a sub-group, which are as far apart as there are sub-groups; None takes the whole group.

    Raises:
        ValueError: if a group of samples is not divisible by the size.
    """

    def __init__(self, group_size: int | None, num_channels: int = 1):
        super().__init__()
        self.group_size, self.num_channels = group_size, num_channels

    def forward(self, x: Tensor) -> Tensor:
        _, c, h, w = x.shape
        n = x.shape[0] // groups.count()
        group = n if self.group_size is None else min(self.group_size, n)
        if n % group:
            raise ValueError(f"batch of {n} is not divisible by the mbstd_group_size {group}")
        f = self.num_channels
        y = x.reshape(groups.count(), group, -1, f, c // f, h, w)
        y = (y.var(dim=1, unbiased=False) + 1e-8).sqrt().mean(dim=[3, 4, 5])
        y = y[:, None, :, :, None, None].expand(-1, group, -1, -1, h, w)
        return torch.cat([x, y.reshape(-1, f, h, w)], dim=1)


class DiscriminatorEpilogue(nn.Module):
    """Turn 4x4 features into logits: mini-batch std, convolution, two linear layers; always float32."""

    def __init__(
        self,
        in_channels: int,
        cmap_dim: int,
        resolution: int = 4,
        img_channels: int = 3,
        architecture: str = "resnet",
        mbstd_group_size: int | None = 4,
        mbstd_num_channels: int = 1,
        activation: str = "lrelu",
        conv_clamp: float | None = None,
    ):
        super().__init__()
        self.cmap_dim, self.architecture = cmap_dim, architecture
        if architecture == "skip":
            self.fromrgb = Conv2dLayer(img_channels, in_channels, 1, activation=activation)
        self.mbstd = MinibatchStdLayer(mbstd_group_size, mbstd_num_channels) if mbstd_num_channels > 0 else None
        self.conv = Conv2dLayer(
            in_channels + mbstd_num_channels, in_channels, 3, activation=activation, conv_clamp=conv_clamp
        )
        self.fc = FullyConnectedLayer(in_channels * resolution**2, in_channels, activation=activation)
        self.out = FullyConnectedLayer(in_channels, cmap_dim or 1)

    def forward(self, x: Tensor, img: Tensor | None = None, cmap: Tensor | None = None) -> Tensor:
        """Turn x [N, C, 4, 4] and cmap [N, cmap_dim] into logits [N, 1] ([N, cmap_dim] without `cmap`)."""
        x = x.float()
        if self.architecture == "skip":
            assert img is not None
            x = x + self.fromrgb(img.float())
        if self.mbstd is not None:
            x = self.mbstd(x)
        x = self.out(self.fc(self.conv(x).flatten(1)))
        return x if cmap is None else (x * cmap).sum(dim=1, keepdim=True) / math.sqrt(self.cmap_dim)
