"""StyleGAN2's image discriminator, with the official tensor names."""

import math
from typing import Any

from torch import Tensor, nn

from styleinv.nn.discriminator import DiscriminatorBlock, DiscriminatorEpilogue
from styleinv.nn.mapping import MappingNetwork
from styleinv.nn.precision import HALF, HalfDtype, channels_at, half_from


class Discriminator(nn.Module):
    """Score images [N, img_channels, R, R]: logits [N, 1]."""

    def __init__(
        self,
        img_resolution: int,
        img_channels: int = 3,
        c_dim: int = 0,
        architecture: str = "resnet",
        channel_base: int = 16384,
        channel_max: int = 512,
        num_fp16_res: int = 0,
        half_dtype: HalfDtype = "float16",
        conv_clamp: float | None = None,
        cmap_dim: int | None = None,
        block_kwargs: dict | None = None,
        mapping_kwargs: dict | None = None,
        epilogue_kwargs: dict | None = None,
    ):
        super().__init__()
        self.c_dim, self.img_resolution, self.img_channels = c_dim, img_resolution, img_channels
        self.block_resolutions = [2**i for i in range(int(math.log2(img_resolution)), 2, -1)]
        threshold = half_from(img_resolution, num_fp16_res)
        common: dict[str, Any] = {"img_channels": img_channels, "architecture": architecture, "conv_clamp": conv_clamp}
        first_layer = 0
        for r in self.block_resolutions:
            width = channels_at(r, channel_base, channel_max)
            block = DiscriminatorBlock(
                width if r < img_resolution else 0,
                width,
                channels_at(r // 2, channel_base, channel_max),
                r,
                first_layer_idx=first_layer,
                half=HALF[half_dtype] if r >= threshold else None,
                **common,
                **(block_kwargs or {}),
            )
            setattr(self, f"b{r}", block)
            first_layer += block.num_layers
        width = channels_at(4, channel_base, channel_max)
        cmap_dim = (width if cmap_dim is None else cmap_dim) if c_dim > 0 else 0
        if c_dim > 0:
            self.mapping = MappingNetwork(0, c_dim, cmap_dim, num_ws=None, w_avg_beta=None, **(mapping_kwargs or {}))
        self.b4 = DiscriminatorEpilogue(width, cmap_dim, 4, **common, **(epilogue_kwargs or {}))

    def forward(self, img: Tensor, c: Tensor | None = None, force_fp32: bool = False) -> Tensor:
        x: Tensor | None = None
        rest: Tensor | None = img
        for r in self.block_resolutions:
            x, rest = getattr(self, f"b{r}")(x, rest, force_fp32)
        assert x is not None
        return self.b4(x, rest, self.mapping(None, c) if self.c_dim > 0 else None)
