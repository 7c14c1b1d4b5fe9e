"""The raw inversion encoder of Eq. 1: pSp's IR-SE-50 "last layer into W" (Richardson et al. 2021)."""

import math

import torch
from torch import Tensor, nn

from styleinv.nn.irse import irse_units
from styleinv.nn.layers import FullyConnectedLayer
from styleinv.nn.precision import in_float32

# IR-SE-50; the demo scale only makes both tuples smaller.
WIDTHS, UNITS = (64, 64, 128, 256, 512), (3, 4, 14, 3)


class BackboneEncoder(nn.Module):
    """Encode images [N, 3, R, R] in [-1, 1] as residual latents E(x) [N, w_dim]."""

    def __init__(self, w_dim: int = 512, widths: tuple[int, ...] = WIDTHS, units: tuple[int, ...] = UNITS):
        super().__init__()
        self.input_layer, self.body, _ = irse_units(tuple(widths), tuple(units))
        self.linear = FullyConnectedLayer(widths[-1], w_dim)

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(self.input_layer(x))
        with in_float32(x.device):
            return self.linear(x.float().mean(dim=[2, 3]))


class PSP(nn.Module):
    """Invert images x [N, 3, R, R] by Inv(x) = E(x) + w_avg (Eq. 1): [N, num_ws, w_dim], all rows equal."""

    latent_avg: Tensor

    def __init__(
        self, output_size: int = 256, w_dim: int = 512, widths: tuple[int, ...] = WIDTHS, units: tuple[int, ...] = UNITS
    ):
        super().__init__()
        self.n_styles = 2 * int(math.log2(output_size)) - 2
        self.encoder = BackboneEncoder(w_dim, widths, units)
        self.register_buffer("latent_avg", torch.zeros([w_dim]))

    def forward(self, x: Tensor) -> Tensor:
        return (self.encoder(x) + self.latent_avg)[:, None].repeat(1, self.n_styles, 1)
