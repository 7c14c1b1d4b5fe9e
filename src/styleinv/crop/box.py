"""Crop by a given box, one for all frames of a clip: TaiChi-HD and the archive of CelebV-HQ."""

import cv2
import numpy as np

Box = tuple[int, int, int, int]


def box_crop(frame: np.ndarray, box: Box, resolution: int) -> np.ndarray:
    """Cut a box out of a frame and resize it to `resolution`.

    The resize is that of TaiChi-HD's preparation, scikit-image's antialiased one: a Gaussian of sigma (factor - 1) / 2
    where it shrinks, then bilinear between pixel centres. A box that is not square is squeezed.

    Args:
        frame: uint8 RGB [H, W, 3].
        box: (left, top, right, bottom) in pixels, ends exclusive; what leaves the image is cut off.
        resolution: side of the result.

    Returns:
        uint8 RGB [resolution, resolution, 3].

    Raises:
        ValueError: nothing of the box is inside the image.
    """
    left, top, right, bottom = box
    region = frame[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if region.size == 0:
        raise ValueError("the box lies outside of the image")
    image: np.ndarray = region.astype(np.float32)
    across, down = (max(0.0, (side / resolution - 1) / 2) for side in (region.shape[1], region.shape[0]))
    if across or down:
        # A Gaussian is cut off at four sigma there.
        size = tuple(2 * int(4 * sigma + 0.5) + 1 for sigma in (across, down))
        border = cv2.BORDER_REFLECT_101
        image = cv2.GaussianBlur(image, size, sigmaX=max(across, 1e-6), sigmaY=max(down, 1e-6), borderType=border)
    image = cv2.resize(image, (resolution, resolution), interpolation=cv2.INTER_LINEAR)
    return np.rint(image).clip(0, 255).astype(np.uint8)
