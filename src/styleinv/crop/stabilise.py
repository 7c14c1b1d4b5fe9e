"""Clips without gaps from squares with gaps: short gaps are filled, long ones split the video."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d


@dataclass(frozen=True)
class Clip:
    """A run of frames that follow each other in the source, each with a square.

    Attributes:
        start: number of the first frame in the source.
        squares: float64 [n, 4].
        measured: bool [n]; the others are interpolated.
    """

    start: int
    squares: np.ndarray
    measured: np.ndarray

    def __len__(self) -> int:
        return len(self.squares)


def split_at_gaps(squares: np.ndarray, max_gap: int) -> list[Clip]:
    """Divide a video into clips.

    Args:
        squares: [T, 4], nan in frames without a face.
        max_gap: so many frames in a row without a face are interpolated in centre, logarithm of the size, and angle;
            more, and those at the ends of the video, belong to no clip.
    """
    known = np.flatnonzero(np.isfinite(squares).all(1))
    if not len(known):
        return []
    groups = np.split(known, np.flatnonzero(np.diff(known) > max_gap + 1) + 1)
    return [_filled(squares, group) for group in groups]


def smooth(clip: Clip, sigma_centre: float, sigma_size: float) -> Clip:
    """Smooth a clip by a Gaussian over time, mirrored at its ends.

    Args:
        clip: of one run of frames, so that nothing leaks across a gap.
        sigma_centre: of the centre, in frames; 0 leaves it.
        sigma_size: of the axis (size and roll together), in frames; 0 leaves it.
    """
    out = clip.squares.copy()
    for part, sigma in ((slice(0, 2), sigma_centre), (slice(2, 4), sigma_size)):
        if sigma > 0:
            out[:, part] = gaussian_filter1d(clip.squares[:, part], sigma, axis=0, mode="reflect")
    return Clip(clip.start, out, clip.measured)


def _filled(squares: np.ndarray, known: np.ndarray) -> Clip:
    start, end = int(known[0]), int(known[-1]) + 1
    every = np.arange(start, end)
    axis = squares[known, 2:]
    columns = [
        *squares[known, :2].T,
        np.log(np.linalg.norm(axis, axis=1)),
        np.unwrap(np.arctan2(axis[:, 1], axis[:, 0])),
    ]
    x, y, log_length, angle = (np.interp(every, known, column) for column in columns)
    out = np.stack([x, y, np.exp(log_length) * np.cos(angle), np.exp(log_length) * np.sin(angle)], 1)
    measured = np.isin(every, known)
    out[measured] = squares[known]  # not a bit is lost where there is nothing to fill
    return Clip(start, out, measured)
