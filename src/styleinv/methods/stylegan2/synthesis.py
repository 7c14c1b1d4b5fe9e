"""StyleGAN2's synthesis network and generator (Karras et al. 2020), with the official tensor names."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styleinv.nn.conv import modulated_conv2d
from styleinv.nn.groups import Source
from styleinv.nn.layers import Conv2dLayer, FullyConnectedLayer
from styleinv.nn.mapping import MappingNetwork
from styleinv.nn.precision import HALF, HalfDtype, channels_at, half_from
from styleinv.nn.resample import setup_filter, upsample2d
from styleinv.rng import standard_normal


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution, noise, bias, leaky ReLU: [N, C, r, r] -> [N, C', r', r']."""

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        kernel_size: int = 3,
        up: int = 1,
        use_noise: bool = True,
        resample_filter: tuple[float, ...] = (1, 3, 3, 1),
        conv_clamp: float | None = None,
    ):
        super().__init__()
        self.resolution, self.up, self.use_noise, self.conv_clamp = resolution, up, use_noise, conv_clamp
        self.padding = kernel_size // 2
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn([out_channels, in_channels, kernel_size, kernel_size]))
        self.register_buffer("resample_filter", setup_filter(resample_filter))
        if use_noise:
            self.register_buffer("noise_const", torch.randn([resolution, resolution]))
            self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros([out_channels]))

    def forward(
        self,
        x: Tensor,
        w: Tensor,
        noise_mode: str = "random",
        gain: float = 1.0,
        generator: Source | None = None,
        frames: int = 1,
    ) -> Tensor:
        styles = self.affine(w)
        offset = self.bias[None, :, None, None]
        if self.use_noise and noise_mode != "none":
            if noise_mode == "const":
                noise = self.noise_const
            else:
                shape = [x.shape[0] // frames, 1, self.resolution, self.resolution]
                noise = standard_normal(shape, generator, x.device).repeat_interleave(frames, dim=0)
            offset = offset + noise * self.noise_strength
        # sqrt(2) * lrelu(x) = lrelu(sqrt(2) * x): the activation's gain rides on demodulation, bias and noise.
        total = math.sqrt(2) * gain
        x = modulated_conv2d(
            x,
            self.weight,
            styles,
            offset,
            up=self.up,
            padding=self.padding,
            resample_filter=self.resample_filter,
            flip_weight=self.up == 1,
            gain=total,
        )
        x = F.leaky_relu_(x, 0.2)
        clamp = None if self.conv_clamp is None else self.conv_clamp * gain
        return x if clamp is None else x.clamp(-clamp, clamp)


class ToRGBLayer(nn.Module):
    """Modulated 1x1 convolution without demodulation: [N, C, r, r] -> [N, 3, r, r]."""

    def __init__(self, in_channels: int, out_channels: int, w_dim: int, conv_clamp: float | None = None):
        super().__init__()
        self.conv_clamp = conv_clamp
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn([out_channels, in_channels, 1, 1]))
        self.bias = nn.Parameter(torch.zeros([out_channels]))
        self.weight_gain = 1 / math.sqrt(in_channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        styles = self.affine(w) * self.weight_gain
        # The style is folded into the small weight, so x * styles never exists.
        weight = (self.weight[:, :, 0, 0] * styles[:, None]).to(x.dtype)
        n, _, h, width = x.shape
        x = torch.baddbmm(self.bias.to(x.dtype)[None, :, None], weight, x.flatten(2)).reshape(n, -1, h, width)
        return x if self.conv_clamp is None else x.clamp(-self.conv_clamp, self.conv_clamp)


class SynthesisBlock(nn.Module):
    """All synthesis layers of one resolution; architectures `skip` (used by the paper), `resnet` and `orig`."""

    resample_filter: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        w_dim: int,
        resolution: int,
        img_channels: int,
        is_last: bool,
        architecture: str = "skip",
        resample_filter: tuple[float, ...] = (1, 3, 3, 1),
        conv_clamp: float | None = None,
        half: torch.dtype | None = None,
        use_noise: bool = True,
        input_dim: int = 0,
    ):
        super().__init__()
        self.in_channels, self.resolution = in_channels, resolution
        self.architecture, self.half_dtype = architecture, half
        self.register_buffer("resample_filter", setup_filter(resample_filter))
        self.num_conv = self.num_torgb = 0
        layer: dict[str, Any] = {"w_dim": w_dim, "resolution": resolution, "conv_clamp": conv_clamp}
        layer["use_noise"] = use_noise
        if in_channels == 0:
            self.const = nn.Parameter(torch.randn([out_channels, resolution, resolution]))
        else:
            self.conv0 = SynthesisLayer(in_channels, out_channels, up=2, resample_filter=resample_filter, **layer)
            self.num_conv += 1
        inside = out_channels + (input_dim if in_channels == 0 else 0)
        self.conv1 = SynthesisLayer(inside, out_channels, resample_filter=resample_filter, **layer)
        self.num_conv += 1
        if is_last or architecture == "skip":
            self.torgb = ToRGBLayer(out_channels, img_channels, w_dim, conv_clamp)
            self.num_torgb += 1
        if in_channels != 0 and architecture == "resnet":
            self.skip = Conv2dLayer(in_channels, out_channels, 1, bias=False, up=2, resample_filter=resample_filter)

    def forward(
        self,
        x: Tensor | None,
        img: Tensor | None,
        ws: Tensor,
        noise_mode: str = "random",
        force_fp32: bool = False,
        generator: Source | None = None,
        frames: int = 1,
    ) -> tuple[Tensor, Tensor | None]:
        """Bring x [N, C, r/2, r/2] and img [N, 3, r/2, r/2] to resolution r by ws [N, num_conv + num_torgb, w_dim].

        The first block starts from its constant; x [N, input_dim] joins it at every pixel, where there is one.
        """
        w = iter(ws.unbind(dim=1))
        dtype = torch.float32 if force_fp32 or self.half_dtype is None else self.half_dtype
        options: dict[str, Any] = {"noise_mode": noise_mode, "generator": generator, "frames": frames}
        if self.in_channels == 0:
            start = self.const.to(dtype)[None].expand(ws.shape[0], -1, -1, -1)
            if x is not None:
                joined = x.to(dtype)[:, :, None, None].expand(-1, -1, *start.shape[2:])
                start = torch.cat([start, joined], dim=1)
            x = self.conv1(start, next(w), **options)
        else:
            assert x is not None
            x = x.to(dtype)
            if self.architecture == "resnet":
                y = self.skip(x, gain=math.sqrt(0.5))
                x = self.conv0(x, next(w), **options)
                x = y + self.conv1(x, next(w), gain=math.sqrt(0.5), **options)
            else:
                x = self.conv1(self.conv0(x, next(w), **options), next(w), **options)
        if img is not None:
            img = upsample2d(img, self.resample_filter)
        if self.num_torgb:
            y = self.torgb(x, next(w)).float()
            img = y if img is None else img + y
        return x, img


class SynthesisNetwork(nn.Module):
    """Synthesise images [N, img_channels, R, R], nominally in [-1, 1], not clamped, from ws [N, num_ws, w_dim].

    Args:
        channel_base, channel_max: width at resolution r is min(channel_base // r, channel_max).
        num_fp16_res: how many of the highest resolutions run in `half_dtype`.
        use_noise: False builds the "no noise" architecture of supplement E, which has no noise tensors.
        input_dim: width of a further input beside the constant (StyleGAN-V's motion codes); 0 for none.
    """

    def __init__(
        self,
        w_dim: int,
        img_resolution: int,
        img_channels: int = 3,
        channel_base: int = 16384,
        channel_max: int = 512,
        num_fp16_res: int = 0,
        half_dtype: HalfDtype = "float16",
        conv_clamp: float | None = None,
        architecture: str = "skip",
        use_noise: bool = True,
        input_dim: int = 0,
    ):
        super().__init__()
        self.w_dim, self.img_resolution, self.img_channels = w_dim, img_resolution, img_channels
        self.block_resolutions = [2**i for i in range(2, int(math.log2(img_resolution)) + 1)]
        threshold = half_from(img_resolution, num_fp16_res)
        self.num_ws = 0
        for r in self.block_resolutions:
            block = SynthesisBlock(
                channels_at(r // 2, channel_base, channel_max) if r > 4 else 0,
                channels_at(r, channel_base, channel_max),
                w_dim,
                r,
                img_channels,
                is_last=r == img_resolution,
                architecture=architecture,
                conv_clamp=conv_clamp,
                half=HALF[half_dtype] if r >= threshold else None,
                use_noise=use_noise,
                input_dim=input_dim,
            )
            self.num_ws += block.num_conv + (block.num_torgb if r == img_resolution else 0)
            setattr(self, f"b{r}", block)

    def forward(
        self,
        ws: Tensor,
        noise_mode: str = "random",
        force_fp32: bool = False,
        generator: Source | None = None,
        inputs: Tensor | None = None,
        frames: int = 1,
    ) -> Tensor:
        """Synthesise images from ws [N, num_ws, w_dim].

        Args:
            noise_mode: `random`, `const` (videos, supplement E) or `none`.
            generator: CPU source of random noise; a GPU draws it itself, by keys from there (`rng.standard_normal`).
            inputs: [N, input_dim], for a network that has such an input.
            frames: how many consecutive rows are of one video and share their random noise.
        """
        x, img = inputs, None
        first = 0
        for r in self.block_resolutions:
            block = getattr(self, f"b{r}")
            # A block's toRGB shares its w with the next block's first convolution.
            block_ws = ws[:, first : first + block.num_conv + block.num_torgb].float()
            x, img = block(x, img, block_ws, noise_mode, force_fp32, generator, frames)
            first += block.num_conv
        assert img is not None
        return img


class Generator(nn.Module):
    """Generate images [N, 3, R, R] from z [N, z_dim]: mapping, then synthesis."""

    def __init__(
        self,
        z_dim: int,
        w_dim: int,
        img_resolution: int,
        img_channels: int = 3,
        c_dim: int = 0,
        mapping_kwargs: dict | None = None,
        synthesis_kwargs: dict | None = None,
    ):
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        self.img_resolution, self.img_channels = img_resolution, img_channels
        self.synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, **(synthesis_kwargs or {}))
        self.num_ws = self.synthesis.num_ws
        self.mapping = MappingNetwork(z_dim, c_dim, w_dim, self.num_ws, **(mapping_kwargs or {}))

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        **synthesis_options,
    ) -> Tensor:
        ws = self.mapping(z, c, truncation_psi, truncation_cutoff)
        return self.synthesis(ws, **synthesis_options)
