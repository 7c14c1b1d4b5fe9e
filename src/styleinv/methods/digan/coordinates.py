"""Coordinates of pixels and time as features: the input of DIGAN's implicit function."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styleinv.nn.layers import FullyConnectedLayer

# Scale of the random Fourier features of space.
XY_SCALE = math.sqrt(10)


def pixel_grid(size: int, device: torch.device) -> Tensor:
    """Make the grid [2, size, size], not symmetric: x = 2j/n - 1 along the width, y = 1 - 2(i+1)/n along the height."""
    x = 2 * torch.arange(size, device=device, dtype=torch.float32) / size - 1
    return torch.stack([x.expand(size, size), x.flip(0)[:, None].expand(size, size)])


class CoordFuser(nn.Module):
    """Sines and cosines of an affine function of (x, y) whose matrix and offset depend on w, motion noise and time.

    Args:
        w_dim: width of w and of the motion noise.
        emb_size: E; the features are 2 E channels.
        motion_sigma: how fast time enters the motion features.
    """

    def __init__(self, w_dim: int, emb_size: int, motion_sigma: float = 0.25):
        super().__init__()
        self.emb_size, self.motion_sigma = emb_size, motion_sigma
        self.xyaffine = FullyConnectedLayer(w_dim, 3 * emb_size)
        self.affine = FullyConnectedLayer(2 * w_dim, emb_size)
        self.motion_mlp = nn.Sequential(
            FullyConnectedLayer(emb_size, emb_size, activation="lrelu"), FullyConnectedLayer(emb_size, emb_size)
        )

    def forward(self, w: Tensor, z_motion: Tensor, t: Tensor, size: int) -> Tensor:
        """Compute sines, then cosines, [N, 2 E, size, size], of w and z_motion [N, w_dim] at t [N] in clip lengths."""
        n, e = w.shape[0], self.emb_size
        m = self.xyaffine(w)
        matrix, offset = XY_SCALE * m[:, : 2 * e].reshape(n, e, 2), m[:, 2 * e :]
        motion = self.affine(torch.cat([w, z_motion], dim=1)) * (t.to(w.dtype)[:, None] * self.motion_sigma)
        offset = offset + self.motion_mlp(F.leaky_relu(motion, 0.01))
        phase = torch.baddbmm(offset[:, :, None], matrix, pixel_grid(size, w.device).flatten(1).expand(n, -1, -1))
        return torch.cat([phase.sin(), phase.cos()], dim=1).reshape(n, 2 * e, size, size)
