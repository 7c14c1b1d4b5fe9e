"""The sparse video discriminator (StyleGAN-V; paper Eq. 3): k frames, conditioned on the time between them."""

import math

import torch
from pydantic import Field
from torch import Tensor, nn

from styleinv.nn.discriminator import DiscriminatorBlock, DiscriminatorEpilogue
from styleinv.nn.mapping import MappingNetwork
from styleinv.nn.precision import HALF, HalfDtype, channels_at, half_from
from styleinv.schema import Strict


class DiscriminatorConfig(Strict):
    """Sizes of the sparse video discriminator."""

    concat_res: int = Field(16, ge=4)
    num_frames_div_factor: int = Field(2, ge=1)
    channel_base: int = Field(16384, ge=1)
    channel_max: int = Field(512, ge=1)
    num_fp16_res: int = Field(4, ge=0)
    half_dtype: HalfDtype = "float16"
    conv_clamp: float | None = 256
    mbstd_group_size: int = Field(8, ge=1)


class FixedTimeEncoder(nn.Module):
    """Encode times by sine and cosine of frequencies pi * 2^k / 2^ceil(log2 T)."""

    fourier_coefs: Tensor

    def __init__(self, max_num_frames: int):
        super().__init__()
        count = math.ceil(math.log2(max_num_frames))
        self.register_buffer("fourier_coefs", (math.pi * 2.0 ** torch.arange(count) / 2**count)[None])
        self.dim = 2 * count

    def forward(self, t: Tensor) -> Tensor:
        """Encode [N] times in frames as [N, dim]."""
        angle = self.fourier_coefs * t.float()[:, None]
        return torch.cat([angle.sin(), angle.cos()], dim=1)


class TemporalDifferenceEncoder(nn.Module):
    """Encode differences of successive frame times, each by a learned embedding and Fourier features, concatenated.

    Args:
        num_frames: frames the discriminator sees, F; there are F - 1 differences.
        max_num_frames: T, the longest difference plus one.
    """

    def __init__(self, num_frames: int, max_num_frames: int = 128, embed_dim: int = 256, use_const_embed: bool = True):
        super().__init__()
        self.time_encoder = FixedTimeEncoder(max_num_frames)
        self.const_embed = nn.Embedding(max_num_frames, embed_dim) if use_const_embed else None
        self.dim = (self.time_encoder.dim + (embed_dim if use_const_embed else 0)) * (num_frames - 1)

    def forward(self, t: Tensor) -> Tensor:
        """Encode ascending times t [B, F] in frames as [B, dim]."""
        gaps = (t[:, 1:] - t[:, :-1]).flatten()
        code = self.time_encoder(gaps)
        if self.const_embed is not None:
            # torch rounds half to even, as the embedding index of fractional gaps was defined.
            code = torch.cat([self.const_embed(gaps.float().round().long()), code], dim=1)
        return code.unflatten(0, (t.shape[0], t.shape[1] - 1)).flatten(1)


class VideoDiscriminator(nn.Module):
    """A ResNet StyleGAN2 discriminator per frame down to `concat_res`, where the frames are concatenated.

    Args:
        num_frames: F, frames per video.
        num_frames_div_factor: the block before `concat_res` puts out 1 / factor of its channels.
        max_num_frames: T, for the time differences.
        dummy_c: ignore the time differences.

    Raises:
        ValueError: if `concat_res` is out of range.
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
        self.num_frames, self.img_channels = num_frames, img_channels
        self.concat_res, self.dummy_c = concat_res, dummy_c
        self.block_resolutions = [2**i for i in range(int(math.log2(img_resolution)), 2, -1)]
        if concat_res not in self.block_resolutions[1:]:
            raise ValueError(f"concat_res {concat_res} is not one of {self.block_resolutions[1:]}")
        threshold = half_from(img_resolution, num_fp16_res)
        self.time_encoder = TemporalDifferenceEncoder(num_frames, max_num_frames, use_const_embed=use_const_embed)

        def width(r: int) -> int:
            full = channels_at(r, channel_base, channel_max)
            return full // num_frames_div_factor if r == concat_res else full

        for r in self.block_resolutions:
            inside = channels_at(r, channel_base, channel_max)
            outer = width(r) * num_frames if r == concat_res else inside
            block = DiscriminatorBlock(
                outer if r < img_resolution else 0,
                inside,
                width(r // 2),
                r,
                img_channels=img_channels,
                conv_clamp=conv_clamp,
                half=HALF[half_dtype] if r >= threshold else None,
            )
            setattr(self, f"b{r}", block)
        cmap_dim = channels_at(4, channel_base, channel_max)
        self.mapping = MappingNetwork(
            0, self.time_encoder.dim, cmap_dim, num_ws=None, num_layers=mapping_layers, w_avg_beta=None
        )
        self.b4 = DiscriminatorEpilogue(
            cmap_dim, cmap_dim, 4, img_channels=img_channels, mbstd_group_size=mbstd_group_size, conv_clamp=conv_clamp
        )

    def forward(self, clips: Tensor, t: Tensor, force_fp32: bool = False) -> Tensor:
        """Score clips [B, F * 3, R, R], frame-major, at times t [B, F] in frames: logits [B]."""
        batch = clips.shape[0]
        img: Tensor | None = clips.reshape(batch * self.num_frames, self.img_channels, *clips.shape[2:])
        x: Tensor | None = None
        for r in self.block_resolutions:
            if r == self.concat_res:
                assert x is not None
                x = x.reshape(batch, -1, *x.shape[2:])
            x, img = getattr(self, f"b{r}")(x, img, force_fp32)
        code = self.time_encoder(t)
        assert x is not None
        return self.b4(x, None, self.mapping(None, code * 0 if self.dummy_c else code))[:, 0]
