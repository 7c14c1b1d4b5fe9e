"""Known numbers that show whether an installation measures what it should.

Each check has an expected value and a tolerance: a formula with a closed form, the codec, and features of a clip that
anyone can draw. A failing check names the part to look at before any score is believed. The official detectors are
checked where they have been fetched: their hash, what must hold of any network with their call, and a known answer
where one is published.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from styleinv.data import weights
from styleinv.errors import UserError
from styleinv.evaluation.codec import stored
from styleinv.evaluation.detectors import OFFICIAL, load_detector, load_detectors
from styleinv.evaluation.frechet import frechet_of_moments
from styleinv.evaluation.metrics import Kind
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


# Length of the features, from the authors of the files.
WIDTH: dict[Kind, int] = {"image": 2048, "video": 400}
# Squared distance of I3D's features of a black and of a white clip, by frames: the FVD of such videos, as the README of
# github.com/JunyaoHu/common_metrics_on_video_quality prints it for the file at this very address.
BLACK_AND_WHITE = {10: 570.07320378183, 16: 153.11023578170108}
NO_ANSWER = "no published feature is known here, so its known answer is missing; hash and behaviour alone are checked"


def selftest() -> Iterator[Check | str]:
    """Run every check; seconds on a CPU, offline. What could not be checked is a line of text.

    Raises:
        UserError: an official detector has another hash than the pinned one.
    """
    deviations = np.linspace(0.1, 3, 64)
    gaussians = frechet_of_moments(np.zeros(64), np.diag(deviations**2), np.ones(64), np.eye(64)).distance
    clip = known_clip()
    coded = stored(clip, Protocol(), ["clip"])
    detectors = load_detectors("stand-in")
    yield from (
        Check("Frechet distance of two Gaussians", gaussians, 64 + float(np.square(deviations - 1).sum()), 1e-9),
        Check("JPEG quality 75 4:2:0, mean of the clip", float(coded.double().mean()), 132.4683837890625, 1e-6),
        Check("stand-in image features", float(detectors.image(clip[0]).mean()), 1.72443581, 1e-4),
        Check("stand-in video features", float(detectors.video(clip.transpose(1, 2)).mean()), 1.13446331, 1e-4),
    )
    for kind, name in OFFICIAL.items():
        yield from official(kind, name)


def official(kind: Kind, name: str) -> Iterator[Check | str]:
    """Check an official detector, if it has been fetched."""
    try:
        weights.where(name)
    except UserError as error:
        yield f"{name}: not checked: {error}"
        return
    detector = load_detector(kind, "official")
    yield f"{name}: SHA-256 {detector.sha256[:16]}... is the pinned one"
    yield Check(f"{name}: length of a feature", detector.dim, WIDTH[kind], 0)
    large = known_clip().repeat_interleave(7, dim=3).repeat_interleave(7, dim=4).transpose(1, 2)
    batch = torch.cat([large, large.flip(3)]) if kind == "video" else large[0].transpose(0, 1)[:4]
    together = detector(batch)

    def apart(name_: str, other: np.ndarray) -> Check:
        return Check(f"{name}: {name_}", float(np.abs(other - together).max() / np.abs(together).max()), 0, 1e-4)

    yield apart("a second run", detector(batch))
    yield apart("one by one", np.concatenate([detector(one[None]) for one in batch]))
    if kind == "image":
        yield f"{name}: {NO_ANSWER}"
        return
    # The flags are rescale, resize and return_features; 224 pixels are what it resizes to.
    yield apart("resize of 224 pixels", detector.features(batch, (True, False, True)))
    yield apart("rescale by hand", detector.features(batch.float() / 127.5 - 1, (False, False, True)))
    for frames, expected in BLACK_AND_WHITE.items():
        black, white = (torch.full((1, 3, frames, 64, 64), level, dtype=torch.uint8) for level in (0, 255))
        distance = float(np.square(detector(black) - detector(white)).sum())
        yield Check(f"{name}: FVD of black and white, {frames} frames", distance, expected, 0.01 * expected)
