"""The super-resolution discriminator: StyleGAN2's on clips of both resolutions, stacked as channels."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styleinv.nn.clip_resample import Upsample, linear_filter, upsample_space
from styleinv.nn.discriminator import DiscriminatorBlock, DiscriminatorEpilogue
from styleinv.nn.precision import HALF, HalfDtype, channels_at, half_from

CLAMP = 256.0


class SuperResDiscriminator(nn.Module):
    """Score clips with their low-resolution clips at the same size, both [N, 3, seq_length, H, W]: logits [N, 1].

    Args:
        resolution: the long edge; a smaller height is padded with zeros.
        scale: of the full resolution to the low one.

    Raises:
        ValueError: for another resolution than a power of two, or if the padding would not be even.
    """

    def __init__(
        self,
        resolution: int,
        seq_length: int = 4,
        scale: int = 4,
        channel_base: int = 16384,
        channel_max: int = 512,
        num_fp16_res: int = 4,
        half_dtype: HalfDtype = "float16",
    ):
        super().__init__()
        if resolution < 8 or resolution & (resolution - 1):
            raise ValueError(f"resolution {resolution} is no power of two from 8 on")
        self.resolution, self.scale = resolution, scale
        self.resolutions = [2**i for i in range(resolution.bit_length() - 1, 2, -1)]
        lowest_half = half_from(resolution, num_fp16_res)
        for r in self.resolutions:
            width = channels_at(r, channel_base, channel_max)
            first = r == resolution
            block = DiscriminatorBlock(
                0 if first else width,
                width,
                channels_at(r // 2, channel_base, channel_max),
                r,
                img_channels=6 * seq_length,
                conv_clamp=CLAMP,
                half=HALF[half_dtype] if r >= lowest_half else None,
            )
            setattr(self, f"b{r}", block)
        self.b4 = DiscriminatorEpilogue(
            channels_at(4, channel_base, channel_max), 0, mbstd_num_channels=0, conv_clamp=CLAMP
        )
        self.upsample = Upsample(linear_filter(scale))

    def enlarge(self, low: Tensor) -> Tensor:
        """Enlarge low-resolution clips [N, 3, T, h, w] linearly to [N, 3, T, H, W]."""
        return upsample_space(low, self.upsample.filter, self.scale)

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        missing = self.resolution - high.shape[3]
        if missing % 2 or missing < 0 or high.shape[4] != self.resolution:
            raise ValueError(f"frames of {list(high.shape[3:])} cannot be padded evenly to {self.resolution}")
        # Colour major, then time, the low resolution first.
        both = torch.cat([low.flatten(1, 2), high.flatten(1, 2)], dim=1)
        img: Tensor | None = F.pad(both, [0, 0, missing // 2, missing // 2])
        x: Tensor | None = None
        for r in self.resolutions:
            x, img = getattr(self, f"b{r}")(x, img)
        return self.b4(x)
