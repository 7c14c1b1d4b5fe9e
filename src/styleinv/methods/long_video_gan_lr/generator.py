"""The low-resolution generator: latents that change over time modulate 3D convolutions, time first, space later."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styleinv.methods.long_video_gan_lr.temporal_embedding import BlurredNoise
from styleinv.nn.clip_resample import (
    Upsample,
    centre_crop,
    downsample_time,
    kaiser_filter,
    linear_filter,
    upsample_space,
    upsample_time,
)
from styleinv.nn.layers import FullyConnectedLayer, MagnitudeEMA, bias_act, normalize_2nd_moment, scaled

CLAMP = 256.0
LEVELS = 5


def level_lengths(frames: int, padding: int = 8) -> list[int]:
    """Count the frames that the input, temporal layer 0, ... and the last layer work on for `frames` frames of output.

    Every level but the last keeps `padding` frames more at both ends than are wanted, so that borders do not show.
    """
    inside = [-(-frames // 2**k) + 2 * padding for k in range(LEVELS, -1, -1)]
    return [*inside, frames]


def modulated_conv3d(x: Tensor, weight: Tensor, style: Tensor, gain: Tensor, demodulate: bool = True) -> Tensor:
    """Convolve x [N, I, T, H, W] with weight [O, I, t, s, s], modulated per frame by style [N, I, T].

    Demodulation looks at each frame's own style, not at its neighbours'.
    """
    fan_in = weight[0].numel()
    if demodulate:
        weight = weight / weight.abs().amax(dim=[1, 2, 3, 4], keepdim=True)
        style = style / style.abs().amax(dim=[1, 2], keepdim=True)
    weight = weight / math.sqrt(fan_in)
    y = x * scaled(style, gain)[:, :, :, None, None]
    y = F.conv3d(y, weight, padding=[size // 2 for size in weight.shape[2:]])
    if not demodulate:
        return y
    energy = torch.einsum("oi,nit->not", weight.square().sum(dim=[2, 3, 4]), style.square())
    return y * (energy + 1e-8).rsqrt()[:, :, :, None, None]


class Block(nn.Module):
    """Two modulated convolutions beside a skip; up-sampling comes after the sum and before the last bias.

    Args:
        out_height, out_width: crop to this size; None keeps the size.
    """

    def __init__(
        self,
        latent_dim: int,
        in_channels: int,
        out_channels: int | None = None,
        out_height: int | None = None,
        out_width: int | None = None,
        temporal_ksize: int = 1,
        spatial_ksize: int = 1,
        temporal_up: bool = False,
        spatial_up: bool = False,
    ):
        super().__init__()
        out_channels = out_channels or in_channels
        self.size = (out_height, out_width)
        kernel = [temporal_ksize, spatial_ksize, spatial_ksize]
        self.weight_0 = nn.Parameter(torch.randn([in_channels, in_channels, *kernel]))
        self.weight_1 = nn.Parameter(torch.randn([out_channels, in_channels, *kernel]))
        self.weight_skip = nn.Parameter(torch.randn([out_channels, in_channels, 1, 1, 1]))
        self.bias_0 = nn.Parameter(torch.zeros([in_channels]))
        self.bias_1 = nn.Parameter(torch.zeros([out_channels]))
        self.affine_0 = FullyConnectedLayer(latent_dim, in_channels, bias_init=1)
        self.affine_1 = FullyConnectedLayer(latent_dim, in_channels, bias_init=1)
        self.input_magnitude_ema_0, self.input_magnitude_ema_1 = MagnitudeEMA(), MagnitudeEMA()
        self.temporal_upsample = Upsample(linear_filter(2)) if temporal_up else None
        self.spatial_upsample = Upsample(linear_filter(2)) if spatial_up else None

    def forward(self, x: Tensor, w: Tensor, frames: int | None = None, beta: float = 1.0) -> Tensor:
        """Apply the block to x [N, C, T, H, W] under w [N, latent_dim, T]: [N, C', frames, H', W']."""
        styles = [affine(w.transpose(1, 2)).transpose(1, 2) for affine in (self.affine_0, self.affine_1)]
        x = scaled(x, self.input_magnitude_ema_0(x, beta))
        one = x.new_ones([])
        h = modulated_conv3d(x, self.weight_0, styles[0], one)
        h = bias_act(h, self.bias_0, act="lrelu", clamp=CLAMP)
        h = modulated_conv3d(h, self.weight_1, styles[1], self.input_magnitude_ema_1(h, beta))
        skip = F.conv3d(x, self.weight_skip / math.sqrt(self.weight_skip.shape[1]))
        y = (skip + h) * math.sqrt(0.5)
        if self.temporal_upsample is not None:
            y = upsample_time(y, self.temporal_upsample.filter)
        if frames is not None:
            y = centre_crop(y, frames, 2)
        if self.spatial_upsample is not None:
            y = upsample_space(y, self.spatial_upsample.filter)
        for dim, size in zip((3, 4), self.size, strict=True):
            y = y if size is None else centre_crop(y, size, dim)
        return bias_act(y, self.bias_1, act="lrelu", clamp=CLAMP)


class ToRGB(nn.Module):
    """Modulated 1x1x1 convolution without demodulation."""

    def __init__(self, latent_dim: int, in_channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn([3, in_channels, 1, 1, 1]))
        self.bias = nn.Parameter(torch.zeros([3]))
        self.affine = FullyConnectedLayer(latent_dim, in_channels, bias_init=1)
        self.input_magnitude_ema = MagnitudeEMA()

    def forward(self, x: Tensor, w: Tensor, beta: float = 1.0) -> Tensor:
        style = self.affine(w.transpose(1, 2)).transpose(1, 2)
        y = modulated_conv3d(x, self.weight, style, self.input_magnitude_ema(x, beta), demodulate=False)
        return bias_act(y, self.bias, clamp=CLAMP)


class Mapping(nn.Module):
    """Map the embedding of every moment to w of that moment."""

    def __init__(self, in_dim: int, w_dim: int):
        super().__init__()
        self.layer_0 = FullyConnectedLayer(in_dim, w_dim, activation="lrelu", lr_multiplier=0.01)
        self.layer_1 = FullyConnectedLayer(w_dim, w_dim, activation="lrelu", lr_multiplier=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, in_dim, L] to [N, w_dim, L]."""
        x = normalize_2nd_moment(x.transpose(1, 2), dim=2)
        return self.layer_1(self.layer_0(x)).transpose(1, 2)


class LowResGenerator(nn.Module):
    """Generate clips [N, 3, S, H, W], nominally in [-1, 1], from noise.

    Args:
        channels: widths: of the temporal layers, and then of the last temporal layers and the spatial ones.
        temporal_padding: frames that every level computes beyond what is wanted, at both ends.
        embedding: options of `BlurredNoise`.
    """

    def __init__(
        self,
        out_height: int = 64,
        out_width: int = 64,
        temporal_emb_dim: int = 1024,
        latent_w_dim: int = 1024,
        channels: tuple[int, int, int, int] = (512, 256, 128, 64),
        output_scale: float = 0.25,
        temporal_padding: int = 8,
        embedding: dict | None = None,
    ):
        super().__init__()
        self.output_scale, self.temporal_padding = output_scale, temporal_padding
        edge = max(out_height, out_width)
        scales = [max(edge // 4 // 2**i, 1) for i in range(5)]
        sizes = [(-(-out_height // s), -(-out_width // s)) for s in scales]
        a, b, c, d = channels
        self.temporal_emb = BlurredNoise(temporal_emb_dim, **(embedding or {}))
        self.latent_mapping = Mapping(temporal_emb_dim, latent_w_dim)
        self.w_to_temp_input = FullyConnectedLayer(latent_w_dim, a)
        self.temporal_downsample_latent = Upsample(kaiser_filter(2))
        self.spatial_input = nn.Parameter(torch.randn([1, a, 1, *sizes[0]]))

        def temporal(cin: int, cout: int, up: bool, size: tuple[int, int] | None) -> Block:
            height, width = size or (None, None)
            return Block(latent_w_dim, cin, cout, height, width, 3, 3, up, size is not None)

        def spatial(cin: int, cout: int, size: tuple[int, int] | None) -> Block:
            height, width = size or (None, None)
            return Block(latent_w_dim, cin, cout, height, width, 1, 3, False, size is not None)

        self.temporal_layers = nn.ModuleList(
            [
                temporal(a, a, True, None),
                temporal(a, a, True, sizes[1]),
                temporal(a, a, True, None),
                temporal(a, a, True, sizes[2]),
                temporal(a, b, True, None),
                temporal(b, b, False, None),
            ]
        )
        last = sizes[4] if sizes[4] != sizes[3] else None
        spatial_layers = [spatial(b, c, sizes[3]), spatial(c, c, None), spatial(c, d, last), spatial(d, d, None)]
        self.spatial_layers = nn.ModuleList(spatial_layers)
        self.to_rgb = ToRGB(latent_w_dim, d)

    def noise_shape(self, batch: int, frames: int) -> tuple[int, int, int]:
        """Return the shape of the noise behind clips of `frames` frames."""
        return self.temporal_emb.noise_shape(batch, level_lengths(frames, self.temporal_padding)[0] * 2**LEVELS)

    def latents(self, w: Tensor, frames: int) -> list[Tensor]:
        """Cut w [N, w_dim, 32 T_in] to the lengths of the input, the temporal layers, the spatial layers and ToRGB."""
        lengths = level_lengths(frames, self.temporal_padding)
        full = centre_crop(w, frames, 2)
        last = centre_crop(w, lengths[LEVELS], 2)
        below = []
        for length in reversed(lengths[:LEVELS]):
            w = downsample_time(w, self.temporal_downsample_latent.filter)
            below.append(centre_crop(w, length, 2))
        temporal = [*reversed(below), last]
        return [temporal[0], *temporal, *[full] * (len(self.spatial_layers) + 1)]

    def forward(self, noise: Tensor, frames: int, beta: float = 1.0) -> Tensor:
        """Generate clips [N, 3, frames, H, W] from noise of `noise_shape`."""
        ws = self.latents(self.latent_mapping(self.temporal_emb(noise)), frames)
        lengths = level_lengths(frames, self.temporal_padding)
        start = self.w_to_temp_input(ws[0].transpose(1, 2)).transpose(1, 2)
        x = (start[:, :, :, None, None] + self.spatial_input) * math.sqrt(0.5)
        for layer, w, length in zip(self.temporal_layers, ws[1:7], lengths[1:], strict=True):
            x = layer(x, w, length, beta)
        for layer, w in zip(self.spatial_layers, ws[7:11], strict=True):
            x = layer(x, w, None, beta)
        return self.to_rgb(x, ws[11], beta) * self.output_scale
