"""Landmarks of a moving face without drawing it, at any size, to a fraction of a pixel."""

from pathlib import Path

import numpy as np

from styleinv.data.cartoon_face import FacePainter, random_identity
from styleinv.data.synthetic import talking_motion
from styleinv.rng import stream


def talking_landmarks(size: int, frames: int, person: int = 0) -> np.ndarray:
    """Exact landmarks [frames, 68, 2] of a talking face; it is some 0.56 of `size` wide."""
    painter = FacePainter(random_identity(stream(1, "looks", person), person), 64)
    drawn = [painter.draw(pose)[2] for pose in talking_motion(stream(1, "motion", person), frames, 25)]
    return (np.stack(drawn) + 0.5) * size / 64 - 0.5


def lose(file: Path, *gaps: slice) -> None:
    """Nobody finds the face of a stored landmarks file in these frames."""
    landmarks = np.load(file)["landmarks"]
    for gap in gaps:
        landmarks[gap] = np.nan
    np.savez(file, landmarks=landmarks)
