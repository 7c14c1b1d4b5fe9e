"""The plan of a crop, from the manifest and the settings alone: no video is read."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from styleinv.crop.raw import BadVideo
from styleinv.crop.settings import Alignment, CropSettings, MaskCrop
from styleinv.data.census import SkippedVideo
from styleinv.data.manifest import Entry, Manifest
from styleinv.data.store import order
from styleinv.errors import UserError


@dataclass(frozen=True)
class CropPlan:
    """The videos of a crop and its settings.

    Attributes:
        videos: in the order of the store.
        raw: the folder that their paths are relative to.
        settings: of the data set.
        fps: frames per second of the store: the settings', or else the most frequent one of the videos.
    """

    videos: tuple[Entry, ...]
    raw: Path
    settings: CropSettings
    fps: float

    @property
    def other_rates(self) -> int:
        """How many videos have another rate than the store."""
        return sum(abs(video.fps - self.fps) > 1e-3 for video in self.videos)

    @property
    def as_stored(self) -> bool:
        """Whether pixels are taken for squares whatever a file says, as the official FaceForensics crop does."""
        return isinstance(self.settings.crop, MaskCrop) and self.settings.crop.border == "faithful"

    def skip(self, video: Entry, problem: BadVideo) -> SkippedVideo:
        """Leave a video out.

        Raises:
            UserError: on_bad_video is "error".
        """
        if self.settings.on_bad_video == "error":
            cure = "Remove or replace it, or set on_bad_video: skip."
            raise UserError(str(problem), file=self.raw / video.file, cure=cure) from None
        return SkippedVideo(name=video.name, reason=str(problem))

    def record(self) -> dict[str, Any]:
        """Return what the store says of how its frames were cropped."""
        crop = self.settings.crop
        border = crop.border if isinstance(crop, MaskCrop) else None
        about = {"crop": crop.type, "border": border, "fps": self.settings.fps, "min_frames": self.settings.min_frames}
        return about | (crop.record() if isinstance(crop, Alignment) else {})


def plan_crop(manifest: Manifest, raw: Path, settings: CropSettings) -> CropPlan:
    """Plan the crop of a data set.

    Args:
        manifest: what was fetched.
        raw: the folder that its paths are relative to.
        settings: of the data set.

    Raises:
        UserError: there are no videos, or they cannot be cropped in this way.
    """
    videos = tuple(sorted(manifest.videos, key=lambda video: order(video.name)))
    if not videos:
        raise UserError("there are no videos to crop", file=raw, cure="Run the fetch stage first.")
    if settings.fps is not None and any(video.clip for video in videos):
        cure = "Set fps: null; every clip keeps its rate."
        raise UserError("clips of longer videos are not resampled", file=raw, field="fps", cure=cure)
    if isinstance(settings.crop, MaskCrop) and not any(video.mask for video in videos):
        cure = "Use crop: centre, or a source with original/ and mask/ folders."
        raise UserError("has no masks", file=raw, cure=cure)
    return CropPlan(videos, raw, settings, settings.fps or _common_rate(videos))


def _common_rate(videos: Sequence[Entry]) -> float:
    """The most frequent rate, the lower of two equally frequent ones."""
    counts = Counter(round(video.fps, 3) for video in videos)
    common = min(counts, key=lambda rate: (-counts[rate], rate))
    return next(video.fps for video in videos if round(video.fps, 3) == common)
