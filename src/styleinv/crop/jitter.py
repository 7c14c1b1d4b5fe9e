"""Shifted copies of a face box. The network's grid moves the landmarks in each of them, and the mean evens this out."""

import numpy as np

from styleinv.rng import stream


def jitter_boxes(box: np.ndarray, count: int, radius: float, seed: int, video: str, frame: int) -> np.ndarray:
    """Shift a box by a random distance in a random direction, several times.

    Args:
        box: float64 [4].
        count: number of copies.
        radius: the distance is uniform in [0, radius] of the box's side (mean of width and height), the angle uniform.
        seed: of the data set.
        video: name of the video.
        frame: number of the frame; the same seed, video and frame always give the same shifts.

    Returns:
        float64 [count, 4].
    """
    rng = stream(seed, f"box jitter of {video}", frame)
    side = (box[2] - box[0] + box[3] - box[1]) / 2
    distance = rng.uniform(0, radius * side, count)
    angle = rng.uniform(0, 2 * np.pi, count)
    shift = np.stack([distance * np.cos(angle), distance * np.sin(angle)], 1)
    return box + np.concatenate([shift, shift], 1)
