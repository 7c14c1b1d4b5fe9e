"""The `ffc` video discriminator: the first frame has a tower of its own and conditions the score of the others.

An alternative to `VideoDiscriminator` (paper Eq. 3) that the released code has but none of its configurations uses.
"""

import math

import torch
from torch import Tensor, nn

from styleinv.nn.discriminator import DiscriminatorBlock, DiscriminatorEpilogue
from styleinv.nn.mapping import MappingNetwork
from styleinv.nn.precision import HALF, HalfDtype, channels_at, half_from
from styleinv.nn.video_discriminator import TemporalDifferenceEncoder


class FirstFrameDiscriminator(nn.Module):
    """A ResNet StyleGAN2 discriminator per frame down to `concat_res`; from there the first frame has its own tower.

    The others are concatenated and see the time differences among themselves. The first frame becomes a vector
    (`bcond*`, `b4cond`), which is put beside their embedding of time and compared with their features.

    Args:
        num_frames: F, frames per video, the first included.
        num_frames_div_factor: the block before `concat_res` puts out 1 / factor of its channels.
        max_num_frames: T, for the time differences.
        dummy_c: ignore the time differences.

    Raises:
        ValueError: if there are fewer than two frames beside the first one, or `concat_res` is out of range.
    """

    def __init__(
        self,
        img_resolution: int,
        num_frames: int = 4,
        img_channels: int = 3,
        max_num_frames: int = 128,
        concat_res: int = 16,
        num_frames_div_factor: int = 2,
        channel_base: int = 16384,
        channel_max: int = 512,
        num_fp16_res: int = 0,
        half_dtype: HalfDtype = "float16",
        conv_clamp: float | None = None,
        mbstd_group_size: int | None = 8,
        mapping_layers: int = 2,
        use_const_embed: bool = True,
        dummy_c: bool = False,
    ):
        super().__init__()
        if num_frames < 3:
            raise ValueError(f"the ffc discriminator needs at least 3 frames, the first included, not {num_frames}")
        self.num_frames, self.img_channels, self.dummy_c = num_frames, img_channels, dummy_c
        resolutions = [2**i for i in range(int(math.log2(img_resolution)), 2, -1)]
        if concat_res not in resolutions[1:]:
            raise ValueError(f"concat_res {concat_res} is not one of {resolutions[1:]}")
        self.shared = [r for r in resolutions if r > concat_res]
        self.split = [r for r in resolutions if r <= concat_res]
        threshold = half_from(img_resolution, num_fp16_res)
        self.time_encoder = TemporalDifferenceEncoder(num_frames - 1, max_num_frames, use_const_embed=use_const_embed)

        def block(r: int, width_in: int) -> DiscriminatorBlock:
            inside, outside = (channels_at(s, channel_base, channel_max) for s in (r, r // 2))
            return DiscriminatorBlock(
                width_in,
                inside,
                outside // num_frames_div_factor if r // 2 == concat_res else outside,
                r,
                img_channels=img_channels,
                conv_clamp=conv_clamp,
                half=HALF[half_dtype] if r >= threshold else None,
            )

        for r in self.shared:
            setattr(self, f"b{r}", block(r, channels_at(r, channel_base, channel_max) if r < img_resolution else 0))
        frame = channels_at(concat_res, channel_base, channel_max) // num_frames_div_factor
        for r in self.split:
            width = channels_at(r, channel_base, channel_max)
            setattr(self, f"b{r}", block(r, frame * (num_frames - 1) if r == concat_res else width))
            setattr(self, f"bcond{r}", block(r, frame if r == concat_res else width))
        self.cmap_dim = channels_at(4, channel_base, channel_max)
        self.mapping = MappingNetwork(
            0, self.time_encoder.dim, self.cmap_dim, num_ws=None, num_layers=mapping_layers, w_avg_beta=None
        )

        def epilogue(cmap_dim: int) -> DiscriminatorEpilogue:
            return DiscriminatorEpilogue(
                self.cmap_dim,
                cmap_dim,
                4,
                img_channels=img_channels,
                mbstd_group_size=mbstd_group_size,
                conv_clamp=conv_clamp,
            )

        self.b4cond = epilogue(self.cmap_dim)
        self.b4 = epilogue(2 * self.cmap_dim)

    def forward(self, clips: Tensor, t: Tensor, force_fp32: bool = False) -> Tensor:
        """Score clips [B, F * 3, R, R], frame-major, at times t [B, F] in frames: logits [B]."""
        batch = clips.shape[0]
        img: Tensor | None = clips.reshape(batch * self.num_frames, self.img_channels, *clips.shape[2:])
        x: Tensor | None = None
        for r in self.shared:
            x, img = getattr(self, f"b{r}")(x, img, force_fp32)
        assert x is not None
        features = x.unflatten(0, (batch, self.num_frames))
        first, others = features[:, 0], features[:, 1:].flatten(1, 2)
        for r in self.split:
            others, _ = getattr(self, f"b{r}")(others, None, force_fp32)
            first, _ = getattr(self, f"bcond{r}")(first, None, force_fp32)
        code = self.time_encoder(t[:, 1:])
        cmap = self.mapping(None, code * 0 if self.dummy_c else code)
        return self.b4(others, None, torch.cat([cmap, self.b4cond(first)], dim=1))[:, 0]
