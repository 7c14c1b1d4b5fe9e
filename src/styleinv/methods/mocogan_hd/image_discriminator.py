"""The image discriminator of the cross-domain mode: BigGAN's, with a projection for contrastive learning."""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import spectral_norm

# Widths after each block, in multiples of `ch`, by resolution.
WIDTHS = {32: (4, 4, 4, 4), 64: (1, 2, 4, 8, 16), 128: (1, 2, 4, 8, 16, 16), 256: (1, 2, 4, 8, 8, 16, 16)}
EPS = 1e-12


def _normed(layer: nn.Module) -> nn.Module:
    nn.init.orthogonal_(layer.weight)  # type: ignore[arg-type]
    return spectral_norm(layer, eps=EPS)


class Block(nn.Module):
    """Two convolutions beside a shortcut, then pooling; the first block starts without an activation."""

    def __init__(self, cin: int, cout: int, first: bool, down: bool):
        super().__init__()
        self.first, self.down = first, down
        self.conv1 = _normed(nn.Conv2d(cin, cout, 3, padding=1))
        self.conv2 = _normed(nn.Conv2d(cout, cout, 3, padding=1))
        self.conv_sc = _normed(nn.Conv2d(cin, cout, 1)) if cin != cout or down else None

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x))))
        # The first block pools before its shortcut's convolution, the others after it.
        if self.first and self.down:
            x = F.avg_pool2d(x, 2)
        x = x if self.conv_sc is None else self.conv_sc(x)
        if self.down:
            h, x = F.avg_pool2d(h, 2), x if self.first else F.avg_pool2d(x, 2)
        return h + x


class ImageDiscriminator(nn.Module):
    """Give images [N, 3, R, R] scores [N, 1] and projections [N, proj_dim], which are not normalised.

    Raises:
        ValueError: for a resolution that the architecture does not have.
    """

    def __init__(self, resolution: int, ch: int = 96, proj_dim: int = 256):
        super().__init__()
        if resolution not in WIDTHS:
            raise ValueError(f"the image discriminator is made for {', '.join(map(str, WIDTHS))}, not {resolution}")
        widths = [3, *(ch * multiple for multiple in WIDTHS[resolution])]
        last = len(widths) - 2
        shrinking = 2 if resolution == 32 else last
        self.blocks = nn.ModuleList(
            nn.ModuleList([Block(widths[i], widths[i + 1], first=i == 0, down=i < shrinking)]) for i in range(last + 1)
        )
        self.proj0 = _normed(nn.Linear(widths[-1], proj_dim))
        self.proj1 = _normed(nn.Linear(proj_dim, proj_dim))
        self.proj2 = _normed(nn.Linear(proj_dim, proj_dim))
        self.linear = _normed(nn.Linear(proj_dim, 1))

    def _features(self, x: Tensor) -> Tensor:
        for stage in self.blocks:
            x = stage[0](x)  # type: ignore[index]
        return F.relu(self.proj0(F.relu(x).sum(dim=[2, 3])))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self._features(x)
        return self.linear(h), self.proj2(F.relu(self.proj1(h)))

    def project(self, x: Tensor) -> Tensor:
        """Compute the projections alone."""
        return self.proj2(F.relu(self.proj1(self._features(x))))
