"""2DFAN-4 (Bulat and Tzimiropoulos 2017): 68 landmarks of a face inside a given box, as heat-maps.

The network is that of the package face_alignment; the package's own front end reads its heat-maps in whole pixels,
fetches weights by itself and compiles.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from styleinv.crop.published import load_published

# A window's side is 200 / 195 of the box's width plus height. The library takes this from the detector that it was set
# up with: 195 for its usual one, which FAN was trained with, 165 for its own RetinaFace.
REFERENCE_SCALE = 195
INPUT = 256  # side of what the network sees
# Landmark i of a face is landmark MIRRORED[i] of its mirror image (iBUG order).
MIRRORED = [
    *range(16, -1, -1),
    *range(26, 16, -1),
    *range(27, 31),
    *range(35, 30, -1),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65),
]


def face_windows(boxes: np.ndarray) -> np.ndarray:
    """Compute the square that the network sees of each box: float64 [B, 4] -> [B, 3], (centre x, centre y, side)."""
    left, top, right, bottom = boxes.T
    side = 200 * (right - left + bottom - top) / REFERENCE_SCALE
    return np.stack([(left + right) / 2, (top + bottom) / 2 - 0.12 * (bottom - top), side], 1)


def cut_exact(frame: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Cut a window to a fraction of a pixel, antialiased, black outside the image: uint8 [256, 256, 3]."""
    x, y, side = window
    edges = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
    left, top = (int(edge) for edge in np.floor(edges[:2]))
    right, bottom = (int(edge) for edge in np.ceil(edges[2:]))
    region = _region(frame, left, top, right, bottom)
    inside = tuple(edges - [left, top, left, top])
    return np.asarray(Image.fromarray(region).resize((INPUT, INPUT), Image.Resampling.BILINEAR, box=inside))


def cut_library(frame: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Cut a window as the library does, its corners at whole pixels: uint8 [256, 256, 3]."""
    import cv2

    x, y, side = window
    first, last = (1 / INPUT - 0.5) * side, side / 2
    left, top, right, bottom = (int(edge) for edge in (x + first, y + first, x + last, y + last))
    region = _region(frame, left, top, max(right, left + 1), max(bottom, top + 1))
    return cv2.resize(region, (INPUT, INPUT), interpolation=cv2.INTER_LINEAR)


def _region(frame: np.ndarray, left: int, top: int, right: int, bottom: int) -> np.ndarray:
    """Cut a rectangle of whole pixels, black outside the image."""
    out = np.zeros((bottom - top, right - left, 3), np.uint8)
    height, width = frame.shape[:2]
    x0, x1, y0, y1 = max(left, 0), min(right, width), max(top, 0), min(bottom, height)
    if x0 < x1 and y0 < y1:
        out[y0 - top : y1 - top, x0 - left : x1 - left] = frame[y0:y1, x0:x1]
    return out


class Fan:
    """A `HeatmapNetwork`.

    Attributes:
        sha256: of the weights.
        batch: windows that it is best given at once; some 50 MB each.

    Args:
        folder: of the published weights.
        device: where it runs.
        decoding: `library` also cuts its windows as the library does.
        flip: add the heat-maps of the mirrored window.

    Raises:
        UserError: the weights have not been fetched, have another hash or do not fit.
    """

    def __init__(
        self,
        folder: Path,
        device: torch.device,
        decoding: Literal["float", "library"] = "float",
        flip: bool = False,
    ):
        self.device, self.flip = device, flip
        self.batch = 16 if device.type == "cpu" else 80
        self._cut = cut_exact if decoding == "float" else cut_library
        self._network = _network()
        self.sha256 = load_published("fan_2d4", folder, self._network, io.BytesIO)
        self._network.to(device)

    def heatmaps(self, frames: Sequence[np.ndarray], numbers: Sequence[int], windows: np.ndarray) -> Tensor:
        """See `HeatmapNetwork`."""
        cuts = np.stack([self._cut(frame, window) for frame, window in zip(frames, windows, strict=True)])
        exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), exact:
            x = torch.from_numpy(cuts).to(self.device).permute(0, 3, 1, 2).float() / 255
            maps = self._network(x)[-1]
            if self.flip:
                maps = maps + self._network(x.flip(-1))[-1][:, MIRRORED].flip(-1)
            return maps


def _network() -> nn.Module:
    from face_alignment.models import FAN

    return FAN(4)
