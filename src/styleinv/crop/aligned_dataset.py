"""The faces of a whole data set: which clips its videos give, what they are called, and what became of every frame."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from styleinv.crop import shake
from styleinv.crop.align import Aligner
from styleinv.crop.ffhq import anchors
from styleinv.crop.follow import Followed
from styleinv.crop.raw import BadVideo, resampling, runs, source_frames
from styleinv.crop.rendered import read_landmarks
from styleinv.crop.stabilise import Clip
from styleinv.data.frames import FrameReader
from styleinv.data.store import order
from styleinv.errors import UserError

log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LINES = 30


@dataclass(frozen=True)
class NamedClip:
    """One future video of the store."""

    name: str
    video: dict[str, Any]
    clip: Clip
    size: tuple[int, int]


class AlignedVideos:
    """Clips of the videos of a manifest.

    Two entries join the census: `faces`, {"preset", "landmarks", "stand_in", "weights", "source_frames", "detected",
    "interpolated", "splits", "crowded", "dropped": {reason: frames}, "videos": [the same of each video]}, where
    detected counts all frames with a face, interpolated stored ones without, and crowded those with more than one; and
    `shake`, medians and 95 % quantiles over clips. Each of `kept` also names its source `video` and
    counts the source frames of its clip alone.

    Args:
        aligner: finds and cuts out the faces.
        videos: entries of the manifest.
        raw: the folder that their paths are relative to.
        fps: resample videos of another rate to this one.
        min_frames: shorter clips are dropped.
        census: gets counts and records.
        refuse: is told of unusable videos.
    """

    def __init__(
        self,
        aligner: Aligner,
        videos: list[dict[str, Any]],
        raw: Path,
        fps: float | None,
        min_frames: int,
        census: dict[str, Any],
        refuse: Callable[[dict[str, Any], BadVideo], None],
    ):
        self.aligner, self.raw, self.fps, self.min_frames = aligner, raw, fps, min_frames
        self.census = census
        self._videos, self._refuse = videos, refuse
        settings = aligner.settings
        totals = dict.fromkeys(("source_frames", "detected", "interpolated", "splits", "crowded"), 0)
        self._faces: dict[str, Any] = {"preset": settings.preset, "landmarks": settings.landmarks}
        self._faces |= {"stand_in": aligner.stand_in, "weights": aligner.hashes, **totals, "dropped": {}, "videos": []}
        census["faces"], census["shake"] = self._faces, {}

    def entries(self) -> Iterator[tuple[str, Iterator[np.ndarray]]]:
        """(name, crops) of all clips in the store's order; every video has been followed before the first one."""
        clips: list[NamedClip] = []
        begin = last = time.monotonic()
        for number, video in enumerate(self._videos, 1):
            try:
                clips += self._clips(video)
            except BadVideo as problem:
                self._refuse(video, problem)
            if time.monotonic() - last > _SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                rate, left = self._faces["source_frames"] / (last - begin), len(self._videos) - number
                minutes = left * (last - begin) / number / 60
                total = len(self._videos)
                log.info("faces followed: %d of %d videos, %.1f frames/s, %.0f min left", number, total, rate, minutes)
        reader = _Reader(self.raw, self.fps)
        for clip in sorted(clips, key=lambda clip: order(clip.name)):
            yield clip.name, self._crops(clip, reader)
        measured = [kept["shake"] for kept in self.census["kept"]]
        self.census["shake"] = shake.summary(measured)

    def _clips(self, video: dict[str, Any]) -> list[NamedClip]:
        rate = resampling(video, self.fps)
        followed = self._follow(video, rate)
        clips = self.aligner.clips(followed)
        long = [clip for clip in clips if len(clip) >= self.min_frames]
        if not clips:
            raise BadVideo(f"shows no face in any of {followed.frames} frames")
        if not long:
            most = max(map(len, clips))
            raise BadVideo(f"shows a face in at most {most} frames in a row, {self.min_frames} are needed")
        self._count(video, followed, clips, long)
        return [
            NamedClip(name, video, clip, followed.size)
            for name, clip in zip(self._names(video["name"], len(long)), long, strict=True)
        ]

    def _follow(self, video: dict[str, Any], rate: float | None) -> Followed:
        exact = self._exact(video)
        if exact is not None and rate is not None:
            raise UserError("landmarks: rendered knows a video at its own rate", field="fps", cure="Set fps: null.")
        size = (video["height"], video["width"])
        return self.aligner.follow(lambda: _frames(video, self.raw, rate), video["name"], size, exact)

    def _exact(self, video: dict[str, Any]) -> Path | None:
        known = video.get("landmarks") if self.aligner.stand_in else None
        return self.raw / known if known else None

    def _names(self, name: str, count: int) -> list[str]:
        """`name` for one clip, `name_1`, `name_2` ... for several, none of them another video's name."""
        if count == 1:
            return [name]
        others = {video["name"].lower() for video in self._videos}
        while True:
            names = [f"{name}_{part + 1:0{len(str(count))}d}" for part in range(count)]
            if not others & {part.lower() for part in names}:
                return names
            name += "_"

    def _count(self, video: dict[str, Any], followed: Followed, clips: list[Clip], kept: list[Clip]) -> None:
        """Add one video to the census; every source frame is stored, or dropped for one reason."""
        short = sum(len(clip) for clip in clips if len(clip) < self.min_frames)
        dropped = {"no face": followed.frames - sum(map(len, clips)), "short clip": short}
        record = {
            "name": video["name"],
            "source_frames": followed.frames,
            "detected": followed.detected,
            "interpolated": sum(int((~clip.measured).sum()) for clip in kept),
            "splits": len(clips) - 1,
            "crowded": followed.crowded,
        }
        for key in ("source_frames", "detected", "interpolated", "splits", "crowded"):
            self._faces[key] += record[key]
        reasons = Counter(dropped) + Counter()  # without those that are none
        self._faces["dropped"] = dict(sorted((Counter(self._faces["dropped"]) + reasons).items()))
        self._faces["videos"].append(record | {"dropped": dict(reasons)})
        self.census["dropped_frames"] += sum(dropped.values())

    def _crops(self, named: NamedClip, reader: "_Reader") -> Iterator[np.ndarray]:
        clip, video = named.clip, named.video
        fidelity = shake.FrameFidelity()
        for image in self.aligner.crop(reader.frames(video, clip), clip, named.size):
            fidelity.add(image)
            yield image
        measured = self.aligner.shake(clip, self.fps or video["fps"])
        if (exact := self._exact(video)) is not None:
            measured |= self.aligner.error(clip, anchors(_first_face(read_landmarks(exact))))
        if fidelity.value is not None:
            measured["itf_db"] = shake.rounded(fidelity.value)
        self.census["videos"] += 1
        self.census["frames"] += len(clip)
        record = {"name": named.name, "video": video["name"], "sha256": video["sha256"]}
        record |= {"source_frames": len(clip), "frames": len(clip), "dropped": 0}
        record |= {"runs": runs(list(range(clip.start, clip.start + len(clip))))}
        record |= {"interpolated": int((~clip.measured).sum()), "shake": measured}
        self.census["kept"].append(record)


def _first_face(landmarks: np.ndarray) -> np.ndarray:
    return landmarks[:, 0] if landmarks.ndim == 4 else landmarks


def _frames(video: dict[str, Any], raw: Path, fps: float | None) -> Iterator[np.ndarray]:
    return source_frames(FrameReader(raw, [video]), video, raw, fps)


class _Reader:
    """Reads clips of videos; those of one video that come one after the other share one decoder."""

    def __init__(self, raw: Path, fps: float | None):
        self._raw, self._fps = raw, fps
        self._name, self._next = "", 0
        self._open: Iterator[np.ndarray] = iter(())

    def frames(self, video: dict[str, Any], clip: Clip) -> Iterator[np.ndarray]:
        """The frames of a clip."""
        if video["name"] != self._name or clip.start < self._next:
            self._open = _frames(video, self._raw, resampling(video, self._fps))
            self._name, self._next = video["name"], 0
        while self._next < clip.start + len(clip):
            frame = next(self._open)
            self._next += 1
            if self._next > clip.start:
                yield frame
