"""Motion codes: StyleGAN-V's acyclic positional encoding of time and noise (APE), and its first-frame-aware form.

FFA-APE (paper section 3.3, Fig. 4) is `MotionMappingNetwork` with `first_frame_aware`; without it the network is
StyleGAN-V's own (Skorokhodov et al. 2022).
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from styleinv.nn.layers import bias_act
from styleinv.nn.time_encoder import AlignedTimeEncoder
from styleinv.schema import Strict


class MotionConfig(Strict):
    """Settings of the motion noise at anchors, and of the acyclic encoding of times between them."""

    z_dim: int = Field(512, ge=1)
    v_dim: int = Field(512, ge=1)
    motion_z_distance: int = Field(16, ge=1)
    kernel_size: int = Field(11, ge=1)
    time_dim: int = Field(256, ge=1)
    min_period_len: float = Field(16, gt=0)
    max_period_len: float = Field(128, gt=0)


class EqLRConv1d(nn.Module):
    """Equalised 1-D convolution [B, in, L] -> [B, out, L'].

    Args:
        mask_right: zero the taps right of the centre, which makes a kernel of 11 with padding 5 the left-sided kernel
            of 6 of supplement F. The dead taps stay parameters and the gain keeps counting them, as released.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: int,
        padding: int = 0,
        stride: int = 1,
        activation: str = "linear",
        lr_multiplier: float = 1.0,
        bias: bool = True,
        bias_init: float = 0.0,
        mask_right: bool = False,
    ):
        super().__init__()
        self.activation, self.padding, self.stride, self.mask_right = activation, padding, stride, mask_right
        self.weight = nn.Parameter(torch.randn([out_features, in_features, kernel_size]) / lr_multiplier)
        self.bias = nn.Parameter(torch.full([out_features], float(bias_init))) if bias else None
        self.weight_gain = lr_multiplier / math.sqrt(in_features * kernel_size)
        self.bias_gain = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.to(x.dtype) * self.weight_gain
        if self.mask_right:
            live = (weight.shape[2] + 1) // 2
            weight = torch.cat([weight[:, :, :live], torch.zeros_like(weight[:, :, live:])], dim=2)
        bias = None if self.bias is None else self.bias.to(x.dtype) * self.bias_gain
        x = F.conv1d(x, weight, bias, stride=self.stride, padding=self.padding)
        return bias_act(x, act=self.activation, gain=1)


class MotionMappingNetwork(nn.Module):
    """Turn motion noise at anchors every `motion_z_distance` frames into codes v_t at arbitrary times.

    Args:
        z_dim, v_dim: widths of the noise and of the anchor tokens.
        motion_z_distance: frames between anchors.
        max_num_frames: T, the longest training clip; fixes the least number of anchors.
        first_frame_aware: False is the ablation "w/o FFA-APE" (Table 3 #2), StyleGAN-V's original encoding.
    """

    def __init__(
        self,
        z_dim: int = 512,
        v_dim: int = 512,
        motion_z_distance: int = 16,
        max_num_frames: int = 128,
        kernel_size: int = 11,
        time_dim: int = 256,
        min_period_len: float = 16,
        max_period_len: float = 128,
        first_frame_aware: bool = True,
    ):
        super().__init__()
        self.z_dim, self.distance, self.max_num_frames = z_dim, motion_z_distance, max_num_frames
        self.first_frame_aware = first_frame_aware
        self.extra = 0 if first_frame_aware else 2 * (kernel_size - 1)
        shape: dict[str, Any] = {
            "kernel_size": kernel_size,
            "padding": kernel_size // 2 if first_frame_aware else 0,
            "mask_right": first_frame_aware,
        }
        if first_frame_aware:
            self.frame_0_const = nn.Parameter(torch.randn([z_dim]))
        self.time_encoder = AlignedTimeEncoder(v_dim, time_dim, min_period_len, max_period_len)
        self.conv = nn.Sequential(
            EqLRConv1d(z_dim, z_dim, activation="lrelu", lr_multiplier=0.01, **shape),
            EqLRConv1d(z_dim, v_dim, activation="lrelu", lr_multiplier=0.01, **shape),
        )
        self.dim = self.time_encoder.dim

    def traj_len(self, max_t: float) -> int:
        """Count the anchors of noise that cover times up to `max_t` frames."""
        return math.ceil(max(self.max_num_frames - 1, max_t) / self.distance) + 2 + self.extra

    def tokens(self, motion_z: Tensor) -> Tensor:
        """Map noise [B, L, z_dim] to anchor tokens u [B, L - extra, v_dim]; FFA's u_0 does not depend on the noise."""
        if self.first_frame_aware:
            first = self.frame_0_const.to(motion_z.dtype).expand(motion_z.shape[0], 1, -1)
            motion_z = torch.cat([first, motion_z[:, 1:]], dim=1)
        return self.conv(motion_z.transpose(1, 2)).transpose(1, 2)

    def at_times(self, u: Tensor, t: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute codes v [B * F, dim] at times t [B, F] from tokens u, and return the anchors they were taken at."""
        left = (t / self.distance).floor().long()
        rows = torch.arange(t.shape[0], device=t.device)[:, None]
        t_left = t - t % self.distance
        weight = ((t % self.distance) / self.distance)[:, :, None].to(u.dtype)
        anchors = {"u_left": u[rows, left], "u_right": u[rows, left + 1], "t_left": t_left, "weight": weight}
        # The place between two anchors is found in the precision of t, the waves in that of the tokens.
        now, before, after = (time.to(u.dtype) for time in (t, t_left, t_left + self.distance))
        v = self.time_encoder(now, anchors["u_left"], anchors["u_right"], before, after, weight)
        return v, anchors

    def forward(self, t: Tensor, motion_z: Tensor) -> Tensor:
        """Compute codes [B * F, dim], rows (video, frame), at t [B, F] from motion_z [B, >= traj_len(max t), z_dim].

        How many anchors times need is known to who draws them; asked for here, the host would wait for the device.
        """
        return self.at_times(self.tokens(motion_z), t)[0]
