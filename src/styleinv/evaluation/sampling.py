"""What FID and FVD look at: every random choice of the protocol, as pure functions of a seed.

Each choice has its own random stream, so that no score depends on which others were computed. (In the released code
the metrics share one stream, and a score depends on the metrics that ran before it.)
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from styleinv.rng import stream


def real_clips(
    lengths: Sequence[int], span: int, limit: int, seed: int, choice: Literal["random", "first"] = "random"
) -> np.ndarray:
    """Choose one clip of `span` consecutive frames per long enough video, at most `limit`, videos in shuffled order.

    Args:
        lengths: frames of every video.
        span: frames from the first to the last of the clip, both included.
        limit: most clips wanted.
        seed: evaluation seed.
        choice: `random` start, uniform over all valid ones, or the `first` frame of the video.

    Returns:
        int64 [K, 2]: video, first frame. K = 0 when no video is long enough.
    """
    frames = np.asarray(lengths, dtype=np.int64)
    random = stream(seed, f"real clips {span}")
    videos = random.permutation(np.flatnonzero(frames >= span))[:limit]
    if choice == "first" or len(videos) == 0:
        starts = np.zeros(len(videos), dtype=np.int64)
    else:
        starts = random.integers(0, frames[videos] - span + 1)
    return np.stack([videos, starts], axis=1).astype(np.int64)


def real_frames(
    lengths: Sequence[int], items: int, seed: int, choice: Literal["sampled", "all"] = "sampled"
) -> np.ndarray:
    """Choose the real images of FID: item i is a random frame of video `order[i % n]`, so that videos count equally.

    Returns:
        int64 [M, 2]: video, frame; M = min(items, number of frames), or every frame once for `all`.
    """
    frames = np.asarray(lengths, dtype=np.int64)
    if choice == "all":
        return every_frame(lengths)
    random = stream(seed, "real frames")
    order = random.permutation(np.flatnonzero(frames > 0))
    videos = np.resize(order, min(items, int(frames.sum())))
    return np.stack([videos, random.integers(0, frames[videos])], axis=1)


def fake_frames(
    lengths: Sequence[int], items: int, seed: int, choice: Literal["sampled", "all"] = "sampled"
) -> np.ndarray:
    """Choose the generated images of FID: uniformly without replacement from all frames.

    Returns:
        int64 [M, 2]: video, frame; M = min(items, number of frames), or every frame once for `all`.
    """
    frames = every_frame(lengths)
    if choice == "all":
        return frames
    return stream(seed, "fake frames").permutation(frames)[:items]


def first_clips(lengths: Sequence[int], span: int) -> np.ndarray:
    """Choose the beginning of every generated video that has `span` frames, int64 [K, 2]: video, 0."""
    videos = np.flatnonzero(np.asarray(lengths) >= span)
    return np.stack([videos, np.zeros_like(videos)], axis=1).astype(np.int64)


def fake_videos(available: int, wanted: int, seed: int) -> list[int]:
    """Choose `wanted` videos of a folder, in order; all of them when there are no more."""
    if available <= wanted:
        return list(range(available))
    return sorted(stream(seed, "fake videos").permutation(available)[:wanted].tolist())


def every_frame(lengths: Sequence[int]) -> np.ndarray:
    """List all frames of all videos in order, int64 [sum(lengths), 2]: video, frame."""
    videos = np.repeat(np.arange(len(lengths)), lengths)
    frames = np.concatenate([np.arange(length) for length in lengths]) if len(lengths) else np.zeros(0)
    return np.stack([videos, frames], axis=1).astype(np.int64)
