"""The inference contract that evaluation, figures, galleries and the command line speak to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    # The schemas of the configuration need `Rounding` alone, and torch takes seconds to import.
    import torch

Rounding = Literal["truncate", "round"]
# How videos are written; png is a folder of frames.
Format = Literal["mp4", "webm", "gif", "png"]


@runtime_checkable
class VideoGenerator(Protocol):
    """A trained method that makes videos.

    `videos(seeds, times)` is a pure function of each seed: the batch a seed is asked in never changes its video.
    """

    resolution: int
    fps: float

    def videos(self, seeds: Sequence[int], times: torch.Tensor, rounding: Rounding = "truncate") -> torch.Tensor:
        """Generate clips.

        Args:
            seeds: N non-negative integers, one video each.
            times: [T] frame times (float, in frames; fractional where the method allows).
            rounding: how [-1, 1] floats become 8 bit: `truncate` as the official generators do, `round` to nearest.

        Returns:
            uint8 [N, T, 3, H, W] on the CPU, values 0..255.
        """
        ...


def to_float(images: torch.Tensor) -> torch.Tensor:
    """Map uint8 images 0..255 (any shape) to floats in [-1, 1], as networks take them."""
    return images.float() / 127.5 - 1


def to_uint8(images: torch.Tensor, rounding: Rounding = "truncate") -> torch.Tensor:
    """Map float images in [-1, 1] to uint8 0..255 (any shape), clamping what lies outside."""
    import torch

    scaled = (images.float() * 0.5 + 0.5).clamp(0, 1) * 255
    return (scaled.round() if rounding == "round" else scaled).to(torch.uint8)
