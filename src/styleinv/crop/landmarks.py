"""Landmarks of faces in boxes: the mean over shifted boxes of what the network finds in each."""

from collections.abc import Sequence

import numpy as np

from styleinv.crop.faces import HeatmapNetwork
from styleinv.crop.fan import face_windows
from styleinv.crop.heatmaps import decode
from styleinv.crop.jitter import jitter_boxes
from styleinv.crop.settings import Alignment


def find_landmarks(
    network: HeatmapNetwork,
    frames: Sequence[np.ndarray],
    numbers: Sequence[int],
    boxes: np.ndarray,
    settings: Alignment,
    video: str,
    batch: int | None = None,
) -> np.ndarray:
    """Find the landmarks of one face in each of some frames of a video.

    Args:
        network: heat-maps of windows.
        frames: uint8 RGB [H, W, 3], F of them.
        numbers: of these frames in the video.
        boxes: float64 [F, 4].
        settings: shifts and decoding.
        video: its name, which the shifts depend on.
        batch: windows that the network sees at once, its own choice unless given; does not change the result.

    Returns:
        float64 [F, 68, 2]; pixel centres are integers.
    """
    count = settings.jitters
    shifted = [
        jitter_boxes(box, count, settings.radius, settings.seed, video, number)
        for number, box in zip(numbers, boxes, strict=True)
    ]
    windows = face_windows(np.concatenate(shifted)) if shifted else np.zeros((0, 3))
    found = []
    step = batch or network.batch
    for start in range(0, len(windows), step):
        part = range(start, min(start + step, len(windows)))
        chosen = windows[part.start : part.stop]
        maps = network.heatmaps([frames[i // count] for i in part], [numbers[i // count] for i in part], chosen)
        found.append(decode(maps, chosen, settings.decoding))
    points = np.concatenate(found) if found else np.zeros((0, 68, 2))
    return points.reshape(len(frames), count, 68, 2).mean(1)
