"""Augmentations of single images in the cross-domain mode, each drawn per image."""

import math
import random

import torch
import torch.nn.functional as F
from torch import Tensor

from styleinv.nn.host import to_device

MAX_CUT = 0.25


def warp(images: Tensor, rng: random.Random) -> Tensor:
    """Erase a square near a border, then flip, shift colours or turn, one of the three: [N, 3, R, R]."""
    return torch.cat([_one(image, rng) for image in images])


def _one(image: Tensor, rng: random.Random) -> Tensor:
    ratio, case = rng.uniform(MAX_CUT / 2, MAX_CUT), rng.randrange(4)
    # The square lies in a strip along the top, bottom, left or right.
    across = rng.uniform(0, MAX_CUT - ratio) if case in (0, 2) else rng.uniform(1 - MAX_CUT, 1 - ratio)
    image = cutout(image, ratio, case, across, rng.uniform(0, 1 - ratio))
    kind = rng.randrange(3)
    if kind == 0:
        return flip(image, rng.random() < 0.5)
    if kind == 1:
        return colour(image, rng.random(), rng.randrange(4))
    shifts = rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1)
    return affine(image, rng.uniform(-math.pi, math.pi), *shifts, rng.uniform(0.95, 1.05))


def cutout(image: Tensor, ratio: float, case: int, across: float, along: float) -> Tensor:
    """Zero a square of `ratio` of the side; `across` places it in its strip, `along` along it: [1, 3, R, R]."""
    size = image.shape[-1]
    first, second = (int(place * (size - 1)) for place in (across, along))
    top, left = (first, second) if case < 2 else (second, first)
    side = int(ratio * size)
    mask = torch.ones_like(image[:1])
    mask[:, top : top + side, left : left + side] = 0
    return (image * mask)[None]


def flip(image: Tensor, flipped: bool) -> Tensor:
    """Flip an image [..., 3, R, R] left to right, or not: [1, 3, R, R]."""
    image = image.reshape(1, *image.shape[-3:])
    return image.flip(3) if flipped else image


def colour(image: Tensor, u: float, case: int) -> Tensor:
    """Add u - 1/2 to all channels (case 0) or to channel case - 1."""
    image = image.reshape(1, *image.shape[-3:])
    shift = image.new_zeros([3]) if case else image.new_full([3], u - 0.5)
    if case:
        shift[case - 1] = u - 0.5
    return image + shift[:, None, None]


def affine(image: Tensor, angle: float, x: float, y: float, scale: float) -> Tensor:
    """Turn by an angle in radians, shift by parts of half the side, scale; borders are mirrored."""
    image = image.reshape(1, *image.shape[-3:])
    c, s = math.cos(angle) * scale, math.sin(angle) * scale
    matrix = to_device(torch.tensor([[[c, -s, x], [s, c, y]]]), image.device).to(image.dtype)
    grid = F.affine_grid(matrix, list(image.shape), align_corners=False)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
