"""Clips of longer videos: which frames and which box of which file, as entries of a manifest."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

from styleinv import files
from styleinv.data.check import VideoFacts, unusable
from styleinv.data.intake import entry_of
from styleinv.data.manifest import Entry, Span
from styleinv.data.video import probe
from styleinv.errors import UserError

MAX_SECONDS = 7 * 24 * 3600.0  # no video is longer than a week
SAME_RATE = 0.01  # frames per second: tables print rates with few digits


@dataclass(frozen=True)
class ListedClip:
    """One clip as a table gives it.

    Attributes:
        name: of the video that it becomes.
        video: YouTube id.
        start, end: seconds; the end is exclusive.
        box: left, top, right, bottom as shares of width and height.
    """

    name: str
    video: str
    start: float
    end: float
    box: tuple[float, float, float, float]

    def __post_init__(self) -> None:
        """Raise ValueError for what no clip can be; the numbers come from tables of others."""
        left, top, right, bottom = self.box
        if not (0 <= self.start < self.end <= MAX_SECONDS and 0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            box = " ".join(f"{side:g}" for side in self.box)
            raise ValueError(f"seconds {self.start:g} to {self.end:g}, box {box}: impossible")


class ClippedFiles:
    """The long videos that clips are cut out of; each is examined once.

    Args:
        raw: the raw folder that paths are relative to.
    """

    def __init__(self, raw: Path):
        self._raw = raw
        self._facts: dict[str, VideoFacts] = {}

    def entry(self, clip: ListedClip, file: str, min_frames: int, rate: float | None = None) -> Entry | tuple[str, str]:
        """Return the entry of a clip, or the problem and detail of a `check.Finding`.

        A frame belongs to the clip that is shown from `start` to before `end`; nothing is resampled. Its box is
        truncated to whole pixels. The file is decoded when it is cropped.

        Args:
            clip: from the table.
            file: of the long video, relative to the raw folder.
            min_frames: fewer make the clip too short.
            rate: frames per second of the table, which counts where the file's is the same but for rounding.
        """
        facts = self._examine(file)
        if facts.error:
            return facts.problem, facts.error
        fps = rate if rate is not None and abs(facts.fps - rate) < SAME_RATE else facts.fps
        # Times come from divisions: a hair above a whole frame number is that frame.
        first, end = (math.ceil(round(second * fps, 6)) for second in (clip.start, clip.end))
        if end - first < min_frames:
            return "too short", f"{end - first} frames, {min_frames} are needed"
        sides = (facts.width, facts.height, facts.width, facts.height)
        box = tuple(int(round(share * side, 6)) for share, side in zip(clip.box, sides, strict=True))
        span = Span(first=first, frames=end - first)
        return entry_of(clip.name, file, replace(facts, frames=span.frames), clip=span, box=box)

    def _examine(self, file: str) -> VideoFacts:
        """Return size, rate and hash of a file, or `error` where it cannot be opened."""
        if file not in self._facts:
            path = self._raw / file
            try:
                info = probe(path)
                self._facts[file] = VideoFacts(path, files.sha256(path), info.width, info.height, info.fps)
            except UserError as error:
                self._facts[file] = unusable(path, error)
        return self._facts[file]
