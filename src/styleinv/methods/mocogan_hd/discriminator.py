"""Patch discriminators of images and of clips, each at two scales (Tian et al. 2021, section 3.2)."""

from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from styleinv.nn.norms import BatchNorm2d, BatchNorm3d, InstanceNorm2d, InstanceNorm3d

STRIDES = (2, 2, 2, 1, 1)


class PatchDiscriminator(nn.Module):
    """Five convolutions per scale, whose last map holds a score per patch. Scale num_D - 1 sees the full resolution.

    Args:
        dims: 2 for images [B, C, H, W], 3 for clips [B, C, T, H, W].
        in_channels: C.
        ndf: width at full resolution; other scales are wider, up to 64.
        num_D: scales.
        halve_time: pool time as well between scales, for clips of more than 16 frames.
        norm: `instance` keeps running statistics without using them in training; `batch` is affine.
    """

    def __init__(
        self,
        dims: Literal[2, 3],
        in_channels: int = 6,
        ndf: int = 64,
        num_D: int = 2,
        halve_time: bool = False,
        norm: Literal["instance", "batch"] = "instance",
    ):
        super().__init__()
        self.dims, self.num_D, self.halve_time = dims, num_D, halve_time
        conv: Any = nn.Conv2d if dims == 2 else nn.Conv3d
        instance: Any = InstanceNorm2d if dims == 2 else InstanceNorm3d
        batch: Any = BatchNorm2d if dims == 2 else BatchNorm3d
        layers = {}
        for scale in range(num_D):
            width = min(64, ndf * 2 ** (num_D - 1 - scale))
            widths = [in_channels, width, width * 2, width * 4, width * 8, 1]
            for j, stride in enumerate(STRIDES):
                parts: list[nn.Module] = [conv(widths[j], widths[j + 1], 4, stride, 2)]
                nn.init.normal_(parts[0].weight, 0, 0.02)  # type: ignore[arg-type]
                if 0 < j < 4:
                    made = instance(widths[j + 1], affine=False, track_running_stats=True)
                    parts.append(made if norm == "instance" else batch(widths[j + 1]))
                if j < 4:
                    parts.append(nn.LeakyReLU(0.2))
                layers[f"scale{scale}_layer{j}"] = nn.Sequential(*parts)
        self.netD = nn.ModuleDict(layers)

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """Compute the outputs of all layers of all scales, from full resolution down."""
        out = []
        for i in range(self.num_D):
            scale, y = self.num_D - 1 - i, x
            maps = []
            for j in range(len(STRIDES)):
                y = self.netD[f"scale{scale}_layer{j}"](y)
                maps.append(y)
            out.append(maps)
            if i < self.num_D - 1:
                x = self._pool(x)
        return out

    def scores(self, x: Tensor) -> list[Tensor]:
        """Compute the last map of every scale."""
        return [maps[-1] for maps in self(x)]

    def _pool(self, x: Tensor) -> Tensor:
        if self.dims == 2:
            return F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        stride = 2 if self.halve_time else (1, 2, 2)
        return F.avg_pool3d(x, 3, stride, 1, count_include_pad=False)
