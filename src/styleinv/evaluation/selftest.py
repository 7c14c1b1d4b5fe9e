"""Known numbers that show whether an installation measures what it should.

Each check has an expected value and a tolerance: a formula with a closed form, the codec, and features of a clip that
anyone can draw. A failing check names the part to look at before any score is believed.
"""

from typing import NamedTuple

import numpy as np
import torch

from styleinv.evaluation.codec import stored
from styleinv.evaluation.detectors import load_detectors
from styleinv.evaluation.frechet import frechet_of_moments
from styleinv.evaluation.protocol import Protocol


class Check(NamedTuple):
    """A known number and what was measured."""

    name: str
    value: float
    expected: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the value is as near as it must be."""
        return abs(self.value - self.expected) <= self.tolerance


def known_clip() -> torch.Tensor:
    """Draw a clip with colour, edges and motion, uint8 [1, 16, 3, 32, 32]: x, y and their sum, moving by 5 a frame."""
    t, y, x = np.mgrid[:16, :32, :32]
    channels = (8 * x + 5 * t, 8 * y - 5 * t, 4 * (x + y) + 10 * t)
    return torch.from_numpy(np.stack(channels, axis=1) % 256).to(torch.uint8)[None]


def selftest() -> list[Check]:
    """Run every check; seconds on a CPU, offline."""
    deviations = np.linspace(0.1, 3, 64)
    gaussians = frechet_of_moments(np.zeros(64), np.diag(deviations**2), np.ones(64), np.eye(64)).distance
    clip = known_clip()
    coded = stored(clip, Protocol(), ["clip"])
    detectors = load_detectors("stand-in")
    return [
        Check("Frechet distance of two Gaussians", gaussians, 64 + float(np.square(deviations - 1).sum()), 1e-9),
        Check("JPEG quality 75 4:2:0, mean of the clip", float(coded.double().mean()), 132.4683837890625, 1e-6),
        Check("stand-in image features", float(detectors.image(clip[0]).mean()), 1.72443581, 1e-4),
        Check("stand-in video features", float(detectors.video(clip.transpose(1, 2)).mean()), 1.13446331, 1e-4),
    ]
