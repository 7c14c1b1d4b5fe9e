"""The aligned acyclic positional encoding of time (StyleGAN-V; paper section 3.3)."""

import math

import torch
from torch import Tensor, nn

from styleinv.nn.layers import FullyConnectedLayer


class AlignedTimeEncoder(nn.Module):
    """Encode times between two anchors: a wave minus its own interpolation, plus learned values at the anchors.

    At an anchor the code is the aligner of that anchor's token; between anchors it is continuous.

    Args:
        latent_dim: width of the anchor tokens.
        dim: number of frequencies; codes have 2 * dim entries.
        min_period_len, max_period_len: shortest and longest period in frames.
    """

    freqs: Tensor
    phase_scales: Tensor

    def __init__(self, latent_dim: int, dim: int = 256, min_period_len: float = 16, max_period_len: float = 1024):
        super().__init__()
        # Ascending frequencies: the longest period comes first.
        exponents = torch.linspace(math.log2(min_period_len), math.log2(max_period_len), dim).flip(0)
        freqs = 2 * math.pi / 2.0**exponents
        self.register_buffer("freqs", freqs[None])
        self.register_buffer("phase_scales", (max_period_len * freqs / (2 * math.pi))[None])
        self.periods_predictor = FullyConnectedLayer(latent_dim, dim, bias=False)
        self.phase_predictor = FullyConnectedLayer(latent_dim, dim, bias=False)
        self.aligners_predictor = FullyConnectedLayer(latent_dim, dim * 2, bias=False)
        self.dim = dim * 2

    def forward(
        self, t: Tensor, u_left: Tensor, u_right: Tensor, t_left: Tensor, t_right: Tensor, weight: Tensor
    ) -> Tensor:
        """Encode t between t_left and t_right [B, F], with tokens u [B, F, latent_dim], weight [B, F, 1]: [B * F, dim].

        Rows are ordered (video, frame). Periods and phases come from the left anchor alone.
        """
        left, right, a = u_left.flatten(0, 1), u_right.flatten(0, 1), weight.flatten(0, 1)
        periods = self.periods_predictor(left).tanh() + 1
        phases = self.phase_predictor(left) * self.phase_scales

        def wave(time: Tensor) -> Tensor:
            angle = self.freqs * periods * time.reshape(-1, 1) + phases
            return torch.cat([angle.sin(), angle.cos()], dim=1)

        codes = wave(t) - torch.lerp(wave(t_left), wave(t_right), a)
        return codes + torch.lerp(self.aligners_predictor(left), self.aligners_predictor(right), a)
