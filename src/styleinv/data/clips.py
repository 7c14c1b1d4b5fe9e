"""Clips of longer videos: which frames and which box of which file, as entries of a manifest."""

import math
from dataclasses import dataclass
from pathlib import Path

from styleinv import files
from styleinv.data.check import VideoFacts
from styleinv.data.fetch import Manifest, entry_of
from styleinv.data.video import probe
from styleinv.errors import UserError


@dataclass(frozen=True)
class Clip:
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


class Sources:
    """Facts of the long videos, each found once.

    Args:
        raw: the raw folder that paths are relative to.
    """

    def __init__(self, raw: Path):
        self._raw = raw
        self._facts: dict[str, VideoFacts] = {}

    def facts(self, file: str) -> VideoFacts:
        """Size, rate and hash of a file; `error` where it cannot be opened. It is decoded when it is cropped."""
        if file not in self._facts:
            path = self._raw / file
            try:
                info = probe(path)
                self._facts[file] = VideoFacts(path, files.sha256(path), info.width, info.height, info.fps)
            except UserError as error:
                self._facts[file] = VideoFacts(path, error=str(error).removeprefix(f"{path}: "))
        return self._facts[file]


def clip_entry(clip: Clip, file: str, facts: VideoFacts, rate: float | None = None) -> Manifest:
    """The entry of a clip.

    A frame belongs to it that is shown from `start` to before `end`; nothing is resampled. Its box is truncated to
    whole pixels.

    Args:
        clip: from the table.
        file: of the long video, relative to the raw folder.
        facts: of that file.
        rate: frames per second to count by; the file's own by default.
    """
    rate = rate or facts.fps
    # Times come from divisions: a hair above a whole frame number is that frame.
    first, end = (math.ceil(round(second * rate, 6)) for second in (clip.start, clip.end))
    entry = entry_of(clip.name, file, facts) | {"frames": end - first, "clip": {"first": first, "frames": end - first}}
    left, top, right, bottom = clip.box
    sides = (facts.width, facts.height, facts.width, facts.height)
    return entry | {"box": [int(round(s * p, 6)) for s, p in zip((left, top, right, bottom), sides, strict=True)]}
