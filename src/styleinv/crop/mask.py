"""Mask-driven face crop of FaceForensics: a square box around what the mask marks.

`faithful` repeats the official numbers, faults included (the set is called "unstable" for them): the box jumps from
frame to frame, its last row and column are lost, what leaves the image on the right or below is squashed, and frames
whose box leaves on the left or above are dropped. `fixed` keeps every frame: the box is smoothed over time and the
image continues as its mirror image beyond its border.

Boxes are (left, right, top, bottom). In a mask, white is background.
"""

import cv2
import numpy as np
from PIL import Image

Box = tuple[int, int, int, int]

THRESHOLD = 5.0  # mean over a row or column of the darkness summed over R, G and B; ignores compression noise
SMOOTHING = 0.2  # seconds, the sigma of `smooth_boxes`


class NoFace(ValueError):
    """Raised where the mask of a frame marks nothing."""


def tight_box(mask: np.ndarray) -> Box:
    """Find the first and last marked column and row of a mask frame, uint8 RGB [H, W, 3].

    The last ones later serve as exclusive ends.

    Raises:
        NoFace: nothing is marked.
    """
    darkness = (255 - mask).sum(axis=2)
    columns = np.flatnonzero(darkness.mean(axis=0) > THRESHOLD)
    rows = np.flatnonzero(darkness.mean(axis=1) > THRESHOLD)
    if not len(columns) or not len(rows):
        raise NoFace("the mask marks nothing")
    return int(columns[0]), int(columns[-1]), int(rows[0]), int(rows[-1])


def square(box: Box) -> Box:
    """Lengthen the shorter side on both ends; an odd pixel goes right or below. May leave the image."""
    left, right, top, bottom = box
    missing = (bottom - top) - (right - left)
    before, after = abs(missing) // 2, abs(missing) - abs(missing) // 2
    if missing > 0:
        return left - before, right + after, top, bottom
    return left, right, top - before, bottom + after


def faithful_region(frame: np.ndarray, box: Box) -> np.ndarray:
    """Slice an array by a square box: cut off at the far border, and usually empty for a negative start."""
    left, right, top, bottom = box
    return frame[top:bottom, left:right]


def faithful_crop(frame: np.ndarray, box: Box, resolution: int) -> np.ndarray | None:
    """Crop one frame by the official rules; None where they drop it.

    Args:
        frame: uint8 RGB [H, W, 3].
        box: as `tight_box` gives it.
        resolution: side of the result.

    Returns:
        uint8 RGB [resolution, resolution, 3] by OpenCV's Lanczos4, without antialiasing.
    """
    region = faithful_region(frame, square(box))
    if region.size == 0:
        return None
    return cv2.resize(region, (resolution, resolution), interpolation=cv2.INTER_LANCZOS4)


def smooth_boxes(boxes: list[Box | None], fps: float) -> np.ndarray:
    """Make square boxes that follow the face smoothly, by a Gaussian over time of centre and side.

    Args:
        boxes: as `tight_box` gives them, None where the mask marks nothing (filled in from the neighbours).
        fps: frames per second.

    Returns:
        float64 [frames, 3]: centre x, centre y, side, in pixels from the image's corner. The last marked row and column
        are inside.

    Raises:
        NoFace: the mask marks nothing in any frame.
    """
    known = [index for index, box in enumerate(boxes) if box is not None]
    if not known:
        raise NoFace("the mask marks nothing in any frame")
    left, right, top, bottom = np.array([box for box in boxes if box is not None], float).T
    right, bottom = right + 1, bottom + 1
    measured = np.stack([(left + right) / 2, (top + bottom) / 2, np.maximum(right - left, bottom - top)], 1)
    every = np.arange(len(boxes))
    filled = np.stack([np.interp(every, known, column) for column in measured.T], 1)
    sigma = SMOOTHING * fps
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-6)) ** 2)
    padded = np.pad(filled, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, kernel / kernel.sum(), mode="valid") for column in padded.T], 1)


def fixed_crop(frame: np.ndarray, box: np.ndarray, resolution: int) -> np.ndarray:
    """Crop one frame by a smooth box, to a fraction of a pixel, mirrored beyond the border.

    Args:
        frame: uint8 RGB [H, W, 3].
        box: (centre x, centre y, side) from `smooth_boxes`.
        resolution: side of the result.

    Returns:
        uint8 RGB [resolution, resolution, 3] by Pillow's antialiased Lanczos.
    """
    x, y, side = box
    left, top, right, bottom = x - side / 2, y - side / 2, x + side / 2, y + side / 2
    height, width = frame.shape[:2]
    before = (int(np.ceil(max(0.0, -top))), int(np.ceil(max(0.0, -left))))
    after = (int(np.ceil(max(0.0, bottom - height))), int(np.ceil(max(0.0, right - width))))
    if any(before + after):
        frame = np.pad(frame, ((before[0], after[0]), (before[1], after[1]), (0, 0)), mode="symmetric")
    window = (left + before[1], top + before[0], right + before[1], bottom + before[0])
    size = (resolution, resolution)
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS, box=window)).copy()
