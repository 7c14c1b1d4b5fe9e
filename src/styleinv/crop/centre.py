"""Centre crop: the largest square in the middle, then an antialiased resize."""

import numpy as np
from PIL import Image


def centre_crop(frame: np.ndarray, resolution: int) -> np.ndarray:
    """Cut the centre square out of a frame and resize it to `resolution`.

    Args:
        frame: uint8 RGB [H, W, 3]; an odd left-over row or column is lost at the bottom or right.
        resolution: side of the result in pixels.

    Returns:
        uint8 RGB [resolution, resolution, 3], by Pillow's Lanczos, which widens its kernel when it shrinks.
    """
    side = min(frame.shape[:2])
    top, left = (frame.shape[0] - side) // 2, (frame.shape[1] - side) // 2
    square = frame[top : top + side, left : left + side]
    if side == resolution:
        return square.copy()
    return np.asarray(Image.fromarray(square).resize((resolution, resolution), Image.Resampling.LANCZOS)).copy()
