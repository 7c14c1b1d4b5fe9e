"""Small random networks in the place of Inception and I3D.

They let the whole evaluation run in seconds, offline, on a CPU: the same calls, the same protocol, other features.
Scores made with them order obviously good and bad videos correctly but compare with nothing published, so their
record says `stand_in`. The weights are drawn from a fixed seed; their hash is their identity.
"""

import hashlib

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

# Both networks look at frames of this size, so that features do not depend on the resolution of the videos.
SIZE = 32


class StandInImage(nn.Module):
    """Stand-in for Inception: uint8 [N, 3, H, W] -> float32 [N, 48], responses to colour, edges and structure."""

    dim = 48

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Conv2d(3, 16, 3, padding=1)
        self.coarse = nn.Conv2d(16, 32, 5, stride=4, padding=2)
        _fill(self, seed=1)

    def forward(self, x: torch.Tensor, return_features: bool = True) -> torch.Tensor:
        """Compute features of images of any size; `return_features` is there because the official file takes it."""
        fine = F.relu(self.fine(_resized(x)))
        coarse = F.relu(self.coarse(fine))
        return torch.cat([fine.mean([2, 3]), coarse.mean([2, 3])], dim=1)


class StandInVideo(nn.Module):
    """Stand-in for I3D: uint8 [B, 3, T, H, W], T >= 2 -> float32 [B, 32], responses to looks and to changes."""

    dim = 32

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv3d(3, 16, (3, 5, 5), stride=(1, 4, 4), padding=(1, 2, 2))
        self.change = nn.Conv3d(3, 16, (3, 5, 5), stride=(1, 4, 4), padding=(1, 2, 2))
        _fill(self, seed=2)

    def forward(
        self, x: torch.Tensor, rescale: bool = True, resize: bool = True, return_features: bool = True
    ) -> torch.Tensor:
        """Compute features of clips of any size and length; the flags are there as the official file takes them."""
        batch, _, frames = x.shape[:3]
        images = _resized(x.transpose(1, 2).flatten(0, 1))
        clips = images.unflatten(0, (batch, frames)).transpose(1, 2)
        # Frames differ little from their neighbours; the factor gives motion about the weight of appearance.
        changes = 4 * clips.diff(dim=2)
        return torch.cat(
            [F.relu(self.look(clips)).mean([2, 3, 4]), F.relu(self.change(changes)).mean([2, 3, 4])], dim=1
        )


def weights_sha256(network: nn.Module) -> str:
    """Hash names and values of all parameters, and the class name, by SHA-256."""
    digest = hashlib.sha256(type(network).__name__.encode())
    for name, value in network.state_dict().items():
        digest.update(name.encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()


def _resized(images: torch.Tensor) -> torch.Tensor:
    """uint8 [N, 3, H, W] -> float32 [N, 3, SIZE, SIZE] in [-1, 1]."""
    return F.interpolate(images.float() / 127.5 - 1, size=(SIZE, SIZE), mode="bilinear", antialias=True)


def _fill(network: nn.Module, seed: int) -> None:
    """Fixed weights: NumPy's legacy generator keeps its numbers for ever. The gain keeps scores away from zero."""
    random = np.random.RandomState(seed)
    for value in network.parameters():
        fan_in = value[0].numel() if value.ndim > 1 else 1
        scale = 4 / np.sqrt(fan_in) if value.ndim > 1 else 0.2
        value.data = torch.from_numpy((random.standard_normal(value.shape) * scale).astype(np.float32))
        value.requires_grad_(False)
