"""Tiny videos for the tests of this folder: a store in memory, a generator, and short protocols."""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch

from styleinv.evaluation.protocol import Protocol

RESOLUTION = 16


def video(seed: int, length: int, speed: float = 1.0) -> np.ndarray:
    """A soft blob that wanders over a tinted background: uint8 [T, R, R, 3]."""
    random = np.random.default_rng(seed)
    tint, start, step = random.uniform(0, 90, 3), random.uniform(3, 12, 2), speed * random.normal(0, 0.6, 2)
    grid = np.stack(np.mgrid[:RESOLUTION, :RESOLUTION], axis=-1)
    centres = start + np.arange(length)[:, None] * step
    blob = np.exp(-((grid - centres[:, None, None]) ** 2).sum(-1) / 12)[..., None]
    return np.clip(tint + 150 * blob, 0, 255).astype(np.uint8)


class TinyStore:
    """Videos in memory behind the store interface; counts what is read."""

    def __init__(self, lengths: Sequence[int], seed: int = 0, speed: float = 1.0):
        self.videos = [video(seed * 1000 + i, length, speed) for i, length in enumerate(lengths)]
        self.names = [f"v{i}" for i in range(len(lengths))]
        self.lengths = np.array(lengths)
        self.resolution = RESOLUTION
        self.fps = 25.0
        self.storage = "none"
        self.read = 0

    @property
    def sha256(self) -> str:
        return hashlib.sha256(b"".join(v.tobytes() for v in self.videos)).hexdigest()

    def frames(self, video: int, indices: Sequence[int]) -> np.ndarray:
        self.read += len(indices)
        return self.videos[video][list(indices)]


class TinyGenerator:
    """Makes the same videos from seeds; counts how many."""

    resolution = RESOLUTION
    fps = 25.0

    def __init__(self, speed: float = 1.0):
        self.speed = speed
        self.made = 0

    def videos(self, seeds: Sequence[int], times: torch.Tensor, rounding: str = "truncate") -> torch.Tensor:
        self.made += len(seeds)
        clips = [video(10_000 + seed, len(times), self.speed) for seed in seeds]
        return torch.from_numpy(np.stack(clips)).permute(0, 1, 4, 2, 3)


def tiny_protocol(**changes) -> Protocol:
    """12 generated videos of 12 frames, FVD of 4 and 12 frames, two evaluation seeds."""
    values = {"n_fake": 12, "clip_length": 12, "fid_items": 80, "real_clips": 10, "fvd_lengths": (4, 12), "repeats": 2}
    values["generation_seed"] = 0
    return Protocol(**(values | changes))
