"""Decoding of heat-maps of 64 x 64 to landmarks, in whole pixels or in fractions of one.

A heat-map pixel is some 13 image pixels wide on a face of 400, so how its peak is read decides how much a video shakes:
the published library takes the highest pixel, a quarter towards its higher neighbours, and cuts the result to an
integer. The peak of a smooth blob can be read a hundred times finer (Tai et al. 2019 decode fractions likewise).
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

SIZE = 64
_REACH = 2  # the fit looks at 5 x 5 pixels
_FLOOR = 1e-3  # of the peak: what is lower counts as this, since a logarithm needs something positive


def decode(heatmaps: Tensor, windows: np.ndarray, decoding: Literal["float", "library"]) -> np.ndarray:
    """Decode the landmarks of windows.

    Args:
        heatmaps: [B, 68, 64, 64].
        windows: float64 [B, 3], the (centre x, centre y, side) that each heat-map covers.
        decoding: `float` reads the peak to a fraction of a pixel; `library` gives what face_alignment 1.5 gives.

    Returns:
        float64 [B, 68, 2], pixel centres are integers.
    """
    read = fitted_peaks if decoding == "float" else library_peaks
    peaks = read(heatmaps).double().cpu().numpy()
    points = (peaks / SIZE - 0.5) * windows[:, None, 2:] + windows[:, None, :2]
    # Points count from the image's corner. The library's cut takes them to the pixel that they lie in, on average the
    # same half pixel as ours.
    return points - 0.5 if decoding == "float" else np.trunc(points)


def library_peaks(heatmaps: Tensor) -> Tensor:
    """Find the highest pixel, a quarter towards its higher neighbours: [B, L, 64, 64] -> [B, L, 2] from the corner."""
    x, y = _highest(heatmaps)
    inside = (x > 0) & (x < SIZE - 1) & (y > 0) & (y < SIZE - 1)
    near = _surroundings(heatmaps, x, y, 1)
    slope = torch.stack([near[..., 1, 2] - near[..., 1, 0], near[..., 2, 1] - near[..., 0, 1]], -1)
    quarter = 0.25 * slope.sign() * inside[..., None]
    return torch.stack([x, y], -1) + quarter + 0.5


def fitted_peaks(heatmaps: Tensor) -> Tensor:
    """Find the top of a Gaussian fitted around the highest pixel: [B, L, 64, 64] -> float64 [B, L, 2] from the corner.

    A second-degree polynomial in x and y is fitted to the logarithm of 5 x 5 pixels, weighted by their squared heights
    (Guo 2011), which is exact for a Gaussian of any shape. Where the surroundings are no hill, the centroid of what is
    positive there is taken.
    """
    x, y = _highest(heatmaps)
    near = _surroundings(heatmaps, x, y, _REACH).flatten(-2).double()
    inside = torch.isfinite(near)
    near = torch.where(inside, near, 0.0)
    height = near.amax(-1, keepdim=True).clamp(min=1e-12)
    near = (near / height).clamp(min=_FLOOR)
    weight = near.square() * inside
    side = torch.arange(-_REACH, _REACH + 1, dtype=torch.float64, device=heatmaps.device)
    v, u = (grid.flatten() for grid in torch.meshgrid(side, side, indexing="ij"))
    design = torch.stack([torch.ones_like(u), u, v, u * u, u * v, v * v], -1)
    normal = torch.einsum("...p,pi,pj->...ij", weight, design, design)
    # A trace of ridge keeps flat surroundings solvable; a hill does not feel it.
    normal = normal + 1e-12 * torch.eye(6, dtype=torch.float64, device=heatmaps.device)
    right = torch.einsum("...p,pi->...i", weight * near.log(), design)
    _, du, dv, uu, uv, vv = torch.linalg.solve(normal, right).unbind(-1)
    determinant = 4 * uu * vv - uv * uv
    fit = torch.stack([uv * dv - 2 * vv * du, uv * du - 2 * uu * dv], -1) / determinant[..., None]
    hill = (uu < 0) & (determinant > 0) & (fit.abs() <= 1.5).all(-1) & torch.isfinite(fit).all(-1)
    mass = near * inside
    centroid = torch.stack([(mass * u).sum(-1), (mass * v).sum(-1)], -1) / mass.sum(-1)[..., None]
    return torch.stack([x, y], -1) + torch.where(hill[..., None], fit, centroid) + 0.5


def _highest(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Column and row of the highest pixel, the first of equal ones."""
    index = heatmaps.flatten(-2).argmax(-1)
    return index % SIZE, index // SIZE


def _surroundings(heatmaps: Tensor, x: Tensor, y: Tensor, reach: int) -> Tensor:
    """[B, L, 2 reach + 1, 2 reach + 1] around a pixel of each map, minus infinity outside of it."""
    step = torch.arange(-reach, reach + 1, device=heatmaps.device)
    rows, columns = (y[..., None] + step)[..., :, None], (x[..., None] + step)[..., None, :]
    inside = (rows >= 0) & (rows < SIZE) & (columns >= 0) & (columns < SIZE)
    flat = rows.clamp(0, SIZE - 1) * SIZE + columns.clamp(0, SIZE - 1)
    found = heatmaps.flatten(-2).gather(-1, flat.flatten(-2)).unflatten(-1, (len(step), len(step)))
    return found.masked_fill(~inside, -torch.inf)
