"""Endless low-resolution videos: a frame of a seed is the same whichever part of its video is asked for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from styleinv.generator import Rounding, to_uint8
from styleinv.methods.long_video_gan_lr.generator import LEVELS, LowResGenerator
from styleinv.rng import key, stream
from styleinv.training.checkpoint import load_module, read_model

# Output frames per frame of the network's input: windows that start at multiples of it see the same hierarchy.
STRIDE = 2**LEVELS
# Most output frames of one pass.
SPAN = 16 * STRIDE
# Noise is drawn in blocks, so that any part of it can be had.
BLOCK = 1024
# Frames before frame 0, so that what comes before it exists too.
LEAD = STRIDE


class LowResVideos:
    """Generate any part of the endless video of a seed."""

    def __init__(self, G: LowResGenerator):
        self.G = G

    @torch.no_grad()
    def clip(self, seed: int, start: int, frames: int) -> Tensor:
        """Generate frames `start` (at least -32) to `start + frames - 1` of a seed's video, [3, frames, h, w]."""
        # Videos do not all begin at the same place of the hierarchy, as in training.
        offset = LEAD + key("phase", seed) % STRIDE
        parts = []
        position, end = start + offset, start + offset + frames
        while position < end:
            first = position // STRIDE * STRIDE
            count = min(end, first + SPAN) - position
            parts.append(self._pass(seed, first, position - first + count)[:, position - first :])
            position += count
        return torch.cat(parts, dim=1)

    def _pass(self, seed: int, first: int, frames: int) -> Tensor:
        # What the network computes beyond both ends at every level is all that zeros outside could reach.
        length = -(-frames // STRIDE) * STRIDE
        _, channels, columns = self.G.noise_shape(1, length)
        blocks = range(first // BLOCK, (first + columns - 1) // BLOCK + 1)
        noise = np.concatenate([self._block(seed, block, channels) for block in blocks], axis=1)
        noise = noise[:, first - blocks[0] * BLOCK :][:, :columns]
        return self.G(torch.from_numpy(noise)[None].to(self.G.spatial_input.device), length)[0, :, :frames]

    @staticmethod
    def _block(seed: int, block: int, channels: int) -> np.ndarray:
        rng = stream(key("motion", seed), "low-resolution noise", block)
        return rng.standard_normal((channels, BLOCK)).astype(np.float32)


class LowResVideoGenerator:
    """The `VideoGenerator` of the low-resolution half alone."""

    def __init__(self, G: LowResGenerator, resolution: int, fps: float):
        self.low, self.resolution, self.fps = LowResVideos(G), resolution, fps

    def videos(self, seeds: Sequence[int], times: Tensor, rounding: Rounding = "truncate") -> Tensor:
        """Generate clips; see `styleinv.generator.VideoGenerator`.

        Raises:
            ValueError: for times that are no frames.
        """
        frames = whole_frames(times)
        clips = [together(self.low, seed, frames) for seed in seeds]
        return torch.stack([to_uint8(clip.transpose(0, 1), rounding).cpu() for clip in clips])


def whole_frames(times: Tensor) -> list[int]:
    """Turn times into frame numbers.

    Raises:
        ValueError: if they are not.
    """
    frames = times.round().long()
    if (frames != times).any() or (frames < 0).any():
        raise ValueError("long_video_gan makes whole frames from 0 on; ask for integer times")
    return frames.tolist()


def together(low: LowResVideos, seed: int, frames: Sequence[int], context: int = 0) -> Tensor:
    """Generate frames of a video, each with `context` frames on both sides: [3, len(frames) (2 context + 1), h, w].

    Frames that lie close come from one pass.
    """
    found: dict[int, Tensor] = {}
    wanted = sorted({frame + k for frame in frames for k in range(-context, context + 1)})
    while wanted:
        near = [frame for frame in wanted if frame < wanted[0] + SPAN]
        clip = low.clip(seed, near[0], near[-1] - near[0] + 1)
        found |= {frame: clip[:, frame - near[0]] for frame in near}
        wanted = wanted[len(near) :]
    return torch.stack([found[frame + k] for frame in frames for k in range(-context, context + 1)], dim=1)


def load_low_res(model_file: Path, name: str = "G_ema") -> tuple[LowResGenerator, dict[str, Any]]:
    """Load the averaged generator of a trained run, frozen, and its options."""
    description, tensors = read_model(model_file)
    options = description.get("low_res", description["generator"])
    G = LowResGenerator(**options)
    load_module(G, tensors, name, model_file)
    return G.eval().requires_grad_(False), options
