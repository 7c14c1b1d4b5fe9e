"""Which two moments of a clip DIGAN looks at: Beta(2, 1) and Beta(1, 2), sorted."""

import numpy as np

PARAMETERS = ((2, 1), (1, 2))


def draw(rng: np.random.Generator) -> np.ndarray:
    """Sorted times of a generated pair, float64 [2] in [0, 1] (clip lengths)."""
    return np.sort([rng.beta(a, b) for a, b in PARAMETERS])


def frames_at(times: np.ndarray, nframes: int) -> np.ndarray:
    """The frames of a real pair: floor(nframes * time), sorted; both may be the same."""
    return np.sort(np.minimum((np.asarray(times) * nframes).astype(np.int64), nframes - 1), axis=-1)


def gap(frames: np.ndarray, nframes: int) -> np.ndarray:
    """Time between the frames [.., 2] of a pair in clip lengths."""
    return (frames[..., 1] - frames[..., 0]) / (nframes - 1)
