"""A stand-in for both face networks where the landmarks are known: FAN-like heat-maps drawn from exact answers.

Nothing looks at the image. What is left of the real path is what makes crops shake: the detector's noise, shifted
boxes, noisy heat-maps of 64 x 64, their decoding, the mean and the square; so its figures have a known right answer, 0.
How noisy FAN's own heat-maps are, these figures do not say.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from styleinv.crop.brought import read_array
from styleinv.crop.heatmaps import SIZE
from styleinv.crop.raw import BadVideo
from styleinv.errors import UserError
from styleinv.rng import stream

SIGMA = 1.0  # of a landmark's blob, in heat-map pixels
MAP_NOISE = 0.01  # standard deviation of each heat-map pixel, as a share of the peak
BOX_NOISE = 1.0  # standard deviation of a box's edges, in image pixels
_VISIBLE = 0.5  # a face is found if so much of its box lies in the image
_MARGIN = np.array([-0.05, -0.3, 0.05, 0.03])  # from the landmarks to a detector's box, in its width and height


class RenderedFaces:
    """A `FaceDetector` and a `HeatmapNetwork` with exact answers.

    Args:
        landmarks: [T, 68, 2], or [T, faces, 68, 2]; pixel centres are integers, nan is a face that nobody finds.
        size: height and width of the frames in pixels.
        seed: of the detector's noise.
        video: name of the video, which the noise depends on too.
        noise: of the heat-maps, as a share of the peak.
    """

    batch = 16

    def __init__(
        self, landmarks: np.ndarray, size: tuple[int, int], seed: int = 0, video: str = "", noise: float = MAP_NOISE
    ):
        self._points = landmarks[:, None] if landmarks.ndim == 3 else landmarks
        self._size, self._seed, self._video, self._noise = size, seed, video, noise

    def detect(self, frames: Sequence[np.ndarray], numbers: Sequence[int]) -> list[np.ndarray]:
        """See `FaceDetector`.

        Raises:
            BadVideo: there are no landmarks for some of the frames.
        """
        if max(numbers, default=-1) >= len(self._points):
            raise BadVideo("has more frames than exact landmarks")
        return [self._found(number) for number in numbers]

    def heatmaps(self, frames: Sequence[np.ndarray], numbers: Sequence[int], windows: np.ndarray) -> Tensor:
        """See `HeatmapNetwork`; of several faces, the one nearest to a window's centre is in it."""
        faces = self._points[np.asarray(numbers)] + 0.5  # [B, faces, 68, 2]
        away = np.linalg.norm(faces.mean(2) - windows[:, None, :2], axis=2)
        points = faces[np.arange(len(faces)), np.nanargmin(away, axis=1)]
        peaks = torch.from_numpy(((points - windows[:, None, :2]) / windows[:, None, 2:] + 0.5) * SIZE)
        pixels = torch.arange(SIZE) + 0.5
        columns, rows = ((-((pixels - peaks[..., i, None]) / SIGMA).square() / 2).exp().float() for i in (0, 1))
        maps = columns[..., None, :] * rows[..., :, None]
        if self._noise:
            # A window's noise depends on the window alone, not on those that are drawn with it.
            for number, window, drawn in zip(numbers, windows, maps, strict=True):
                rng = stream(self._seed + zlib.crc32(window.tobytes()), f"map noise of {self._video}", number)
                drawn += self._noise * torch.from_numpy(rng.standard_normal(drawn.shape, np.float32))
        return maps

    def _found(self, number: int) -> np.ndarray:
        rows = []
        rng = stream(self._seed, f"box noise of {self._video}", number)
        for face in self._points[number]:
            noise = rng.normal(0, BOX_NOISE, 4)
            if not np.isfinite(face).all():
                continue
            low, high = face.min(0) + 0.5, face.max(0) + 0.5
            box = np.concatenate([low, high]) + _MARGIN * np.tile(high - low, 2) + noise
            inside = np.clip(box, 0, np.tile(self._size[::-1], 2))
            area, seen = (float((edges[2:] - edges[:2]).prod()) for edges in (box, inside))
            if seen >= _VISIBLE * area:
                rows.append([*box, seen / area])
        rows.sort(key=lambda row: -row[4])
        return np.array(rows, np.float64).reshape(-1, 5)


def read_exact(path: Path) -> np.ndarray:
    """Read the exact landmarks that the synthetic data set stores beside a video.

    Raises:
        UserError: no such file, or other content.
    """

    def check(shape: tuple[int, ...]) -> None:
        if len(shape) not in (3, 4) or shape[-2:] != (68, 2):
            raise UserError(
                f"must hold [frames, 68, 2], not {list(shape)}",
                file=path,
                field="landmarks",
                cure="Write one row of 68 points for each frame.",
            )

    if not path.exists():
        raise UserError("is gone", file=path, cure="Run the fetch stage again.")
    return read_array(path, "landmarks", check)
