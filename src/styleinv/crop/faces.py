"""Interfaces of what finds faces and their landmarks: the two networks, or a stand-in with exact answers.

Boxes are (left, top, right, bottom) in pixels from the image's corner, so pixel i covers [i, i + 1]; they may leave the
image. Landmarks name pixel centres by integers, as dlib and the synthetic faces do: half a pixel less.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from torch import Tensor


class FaceDetector(Protocol):
    """Finds faces."""

    def detect(self, frames: Sequence[np.ndarray], numbers: Sequence[int]) -> list[np.ndarray]:
        """Find the faces in some frames of one video.

        Args:
            frames: uint8 RGB [H, W, 3], all of one size.
            numbers: of these frames in the video.

        Returns:
            Per frame float64 [faces, 5]: a box and its score, best first; no rows where there is no face.
        """
        ...


class HeatmapNetwork(Protocol):
    """Says of every place in a window how likely each landmark lies there.

    Attributes:
        batch: windows that it is best given at once.
    """

    batch: int

    def heatmaps(self, frames: Sequence[np.ndarray], numbers: Sequence[int], windows: np.ndarray) -> Tensor:
        """Compute heat-maps of one window in each frame.

        Args:
            frames: uint8 RGB [H, W, 3], B of them; a frame may occur several times.
            numbers: of these frames in the video.
            windows: float64 [B, 3], from `fan.face_windows`.

        Returns:
            float32 [B, 68, 64, 64].
        """
        ...
