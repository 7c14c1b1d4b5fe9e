"""Two trials of a landmark decoding whose right answers are known: a face that stands still, and one that creeps."""

import numpy as np

from styleinv.crop import ffhq, shake
from styleinv.crop.landmarks import find_landmarks
from styleinv.crop.rendered import RenderedFaces
from styleinv.crop.settings import Alignment


def freeze(landmarks: np.ndarray, settings: Alignment, output: int, frames: int = 50) -> dict[str, float]:
    """One face again and again, only the detector's box moves (by its noise of a pixel).

    Args:
        landmarks: [68, 2] in the image.
        settings: how landmarks are measured.
        output: side of the crop in pixels.
        frames: repetitions.

    Returns:
        Standard deviations of centre, size (output pixels) and roll (degrees); 0 is right.
    """
    squares = _measured(np.repeat(landmarks[None], frames, 0), settings)
    spread = shake.path(squares, output).std(0)
    return {"centre_px": float(np.hypot(*spread[:2])), "size_px": float(spread[2]), "roll_deg": float(spread[3])}


def ramp(landmarks: np.ndarray, settings: Alignment, step: float, frames: int = 50) -> dict[str, float]:
    """A face that moves to the right by `step` image pixels per frame.

    Returns:
        `gain`: measured by true motion, 1 is right; `error_px`: root mean square of what a straight line does not
        explain, in image pixels, 0 is right.
    """
    shift = step * np.arange(frames)
    squares = _measured(landmarks[None] + np.stack([shift, 0 * shift], 1)[:, None], settings)
    line = np.polynomial.Polynomial.fit(shift, squares[:, 0], 1)
    gain = float(line.convert().coef[1])
    return {"gain": gain, "error_px": float(np.sqrt(np.square(squares[:, 0] - line(shift)).mean()))}


def _measured(landmarks: np.ndarray, settings: Alignment) -> np.ndarray:
    """Squares [T, 4] by the whole path of detection, shifts, decoding and mean."""
    extent = np.ceil(landmarks.max((0, 1))).astype(int)
    faces = RenderedFaces(landmarks, (2 * int(extent[1]), 2 * int(extent[0])), settings.seed, "trial")
    numbers = range(len(landmarks))
    images = [np.zeros((1, 1, 3), np.uint8)] * len(landmarks)
    boxes = np.concatenate(faces.detect(images, numbers))[:, :4]
    return ffhq.square(ffhq.anchors(find_landmarks(faces, images, numbers, boxes, settings, "trial")))
