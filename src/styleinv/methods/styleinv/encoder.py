"""The temporal style modulated inversion encoder E(x, s_t) (paper section 3.2, Fig. 3)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styleinv.methods.inversion.encoder import UNITS, WIDTHS
from styleinv.nn import groups
from styleinv.nn.channels_last import Conv2d
from styleinv.nn.irse import irse_units
from styleinv.nn.layers import FullyConnectedLayer
from styleinv.nn.precision import in_float32
from styleinv.nn.shared_trunk import as_if_repeated


class AdaIN(nn.Module):
    """Instance normalisation whose scale and shift are an affine function of the style."""

    def __init__(self, style_dim: int, num_features: int, lr_multiplier: float = 1.0):
        super().__init__()
        self.fc = FullyConnectedLayer(style_dim, num_features * 2, lr_multiplier=lr_multiplier)

    def forward(self, x: Tensor, s: Tensor) -> Tensor:
        """Normalise x [B, C, H, W] by styles s [F * B, style_dim] into [F * B, C, H, W]; rows as in the encoder."""
        frames = s.shape[0] // x.shape[0]
        with in_float32(x.device):
            affine = groups.split(self.fc(s)).unflatten(1, (frames, -1))
            gamma, beta = affine[..., None, None].chunk(2, dim=3)
            # One normalisation serves all frames of a video that share x.
            normal = groups.split(F.instance_norm(x.float(), eps=1e-5))[:, None]
            return torch.addcmul(beta, 1 + gamma, normal).flatten(0, 2).to(x.dtype)


class AdainResBlk(nn.Module):
    """Residual AdaIN block (StarGAN v2) at constant width and resolution; supplement F: "residual connection and
    variance normalization enabled"."""

    def __init__(self, dim: int, style_dim: int, lr_multiplier: float = 1.0, normalize: bool = True):
        super().__init__()
        self.normalize = normalize
        self.conv1 = Conv2d(dim, dim, 3, 1, 1)
        self.conv2 = Conv2d(dim, dim, 3, 1, 1)
        self.norm1 = AdaIN(style_dim, dim, lr_multiplier)
        self.norm2 = AdaIN(style_dim, dim, lr_multiplier)

    def forward(self, x: Tensor, s: Tensor) -> Tensor:
        """Modulate x [B, C, H, W] by styles s [F * B, style_dim] into [F * B, C, H, W]; rows as in the encoder."""
        frames = s.shape[0] // x.shape[0]
        residual = self.conv1(F.leaky_relu_(self.norm1(x, s), 0.2))
        residual = self.conv2(F.leaky_relu_(self.norm2(residual, s), 0.2))
        out = (groups.split(residual).unflatten(1, (frames, -1)) + groups.split(x)[:, None]).flatten(0, 2)
        return out / math.sqrt(2) if self.normalize else out


class ModulatedEncoder(nn.Module):
    """IR-SE-50 with an AdaIN block after each group of units (`adain_mode="block"`) or after each unit.

    The units before the first AdaIN block do not see the style: they run once per video, not once per frame.
    """

    def __init__(
        self,
        w_dim: int = 512,
        style_dim: int = 512,
        widths: tuple[int, ...] = WIDTHS,
        units: tuple[int, ...] = UNITS,
        adain_mode: str = "block",
        normalize_adain: bool = True,
        lr_multiplier: float = 1.0,
    ):
        super().__init__()
        self.input_layer, self.body, last = irse_units(tuple(widths), tuple(units))
        self.linear = FullyConnectedLayer(widths[-1], w_dim, lr_multiplier=lr_multiplier)
        group_of = [g for g, count in enumerate(units) for _ in range(count)]
        self.adain_index = last if adain_mode == "block" else list(range(len(group_of)))
        self.adains = nn.ModuleList(
            AdainResBlk(widths[group_of[i] + 1], style_dim, lr_multiplier, normalize_adain) for i in self.adain_index
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor, s: Tensor | None) -> Tensor:
        """Encode x [B, 3, R, R] under styles s [F * B, style_dim]: [F * B, w_dim], rows (frame, video), group by group.

        `s=None` leaves the AdaIN blocks out: the raw inversion encoder.
        """
        shared = self.adain_index[0] + 1
        frames = 1 if s is None else s.shape[0] // x.shape[0]
        with as_if_repeated(nn.ModuleList([self.input_layer, *self.body[:shared]]), frames, self.training):
            x = self.input_layer(x)
            for unit in self.body[:shared]:
                x = unit(x)
        blocks = iter(self.adains)
        for i, unit in enumerate(self.body):
            if i >= shared:
                x = unit(x)
            if s is not None and i in self.adain_index:
                x = next(blocks)(x, s)
        with in_float32(x.device):
            return self.linear(x.float().mean(dim=[2, 3]))
