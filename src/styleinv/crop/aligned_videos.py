"""Aligned faces of a whole data set: the clips of its videos, their names, and what became of every frame."""

import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from styleinv.crop import shake
from styleinv.crop.align import Aligner
from styleinv.crop.brought import READERS
from styleinv.crop.crop_plan import CropPlan
from styleinv.crop.ffhq import anchors
from styleinv.crop.follow import Followed
from styleinv.crop.raw import BadVideo, runs, source_frames
from styleinv.crop.rendered import read_exact
from styleinv.crop.stabilise import Clip
from styleinv.data.census import Faces, FollowedVideo, Kept, SkippedVideo
from styleinv.data.frame_reader import FrameReader
from styleinv.data.manifest import Entry
from styleinv.data.store import order
from styleinv.errors import UserError
from styleinv.files import expand, sha256

log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LINES = 30


class AlignedCrops:
    """The crops of one clip, which becomes a video of the store.

    Attributes:
        name: of the video in the store.
        source: the raw video.
        clip: which of its frames, and the squares to cut out.
    """

    def __init__(self, videos: "AlignedVideos", name: str, source: Entry, clip: Clip, size: tuple[int, int]):
        self.name, self.source, self.clip = name, source, clip
        self._videos, self._size = videos, size
        self._fidelity = shake.FrameFidelity()

    def frames(self) -> Iterator[np.ndarray]:
        """Read and crop the clip: uint8 RGB [resolution, resolution, 3].

        Raises:
            BadVideo: it cannot be read.
        """
        source = self._videos.reader.frames(self.source, self.clip)
        for image in self._videos.aligner.crop(source, self.clip, self._size):
            self._fidelity.add(image)
            yield image

    def record(self) -> Kept:
        """Return the clip's record for the census, once its frames have been read."""
        clip, videos = self.clip, self._videos
        measured = videos.aligner.shake(clip, videos.plan.settings.fps or self.source.fps)
        if (exact := videos.exact_landmarks(self.source)) is not None:
            measured |= videos.aligner.error(clip, anchors(_first_face(read_exact(exact))))
        if self._fidelity.value is not None:
            measured["itf_db"] = shake.rounded(self._fidelity.value)
        return Kept(
            name=self.name,
            video=self.source.name,
            sha256=self.source.sha256,
            source_frames=len(clip),
            frames=len(clip),
            dropped=0,
            runs=runs(list(range(clip.start, clip.start + len(clip)))),
            interpolated=int((~clip.measured).sum()),
            shake=measured,
        )


class AlignedVideos:
    """Clips of the aligned faces of a data set.

    Args:
        plan: the videos and their settings.
        aligner: finds and cuts out the faces.
        skipped: videos that cannot be used are added to it.
    """

    def __init__(self, plan: CropPlan, aligner: Aligner, skipped: list[SkippedVideo]):
        self.plan, self.aligner = plan, aligner
        self.reader = _ClipReader(plan)
        self._skipped = skipped
        self._followed: list[FollowedVideo] = []
        self._brought: dict[str, tuple[np.ndarray, str]] = {}  # by name: what was brought, and the hash of its file

    def crops(self) -> Iterator[AlignedCrops]:
        """Yield all clips in the order of the store, after the first pass over every video."""
        clips: list[AlignedCrops] = []
        videos = self._with_what_they_need()
        begin = last = time.monotonic()
        for number, video in enumerate(videos, 1):
            try:
                clips += self._clips(video)
            except BadVideo as problem:
                self._skipped.append(self.plan.skip(video, problem))
            if time.monotonic() - last > _SECONDS_BETWEEN_LINES:
                last = time.monotonic()
                self._log_progress(number, last - begin)
        yield from sorted(clips, key=lambda clip: order(clip.name))

    def census(self) -> Faces:
        """Count what was found in the videos that have been followed."""
        counts = {
            key: sum(getattr(video, key) for video in self._followed)
            for key in ("source_frames", "detected", "interpolated", "splits", "crowded")
        }
        dropped = sum((Counter(video.dropped) for video in self._followed), Counter())
        return Faces(
            preset=self.aligner.settings.preset,
            landmarks=self.aligner.settings.record()["landmarks"],
            stand_in=self.aligner.stand_in,
            weights=self.aligner.hashes,
            **counts,
            dropped=dict(sorted(dropped.items())),
            videos=tuple(self._followed),
        )

    def shake(self, kept: Sequence[Kept]) -> dict[str, Any]:
        """Summarise how much the stored clips shake: medians and 95 % quantiles."""
        return shake.summary([record.shake for record in kept if record.shake is not None])

    def exact_landmarks(self, video: Entry) -> Path | None:
        """Return the file of a video's exact landmarks, where they stand in for the networks."""
        return self.plan.raw / video.landmarks if self.aligner.stand_in and video.landmarks else None

    def _with_what_they_need(self) -> list[Entry]:
        """Return the videos that landmarks or boxes were brought for, if any are: all files are read before any work.

        Raises:
            UserError: some of it cannot be used and on_bad_video is "error", or nothing at all can be.
        """
        settings, crop = self.plan.settings, self.aligner.settings
        if crop.brought is None:
            return list(self.plan.videos)
        folder = expand(getattr(crop, crop.brought))
        field = f"crop.{crop.brought}"
        if not folder.is_dir():
            own = "fan" if crop.brought == "landmarks" else "retinaface"
            cure = f"Use {own}, or name the folder that holds <video>.npz of each video."
            raise UserError("is not a folder", file=folder, field=field, cure=cure)
        if settings.fps is not None:
            cure = "Set fps: null, or convert the videos to that rate first."
            raise UserError(f"{crop.brought} are brought for the frames as they are stored", field="fps", cure=cure)
        good = []
        for video in self.plan.videos:
            file = folder / f"{video.name}.npz"
            try:
                known = READERS[crop.brought](file, video.frames, (video.height, video.width))
            except UserError as error:
                if settings.on_bad_video == "error":
                    raise
                self._skipped.append(SkippedVideo(name=video.name, reason=f"{file.name}: {error.said}"))
            else:
                self._brought[video.name] = known, sha256(file)
                good.append(video)
        return good

    def _clips(self, video: Entry) -> list[AlignedCrops]:
        """Follow the face of a video and divide it into clips."""
        min_frames = self.plan.settings.min_frames
        followed = self._follow(video)
        clips = self.aligner.clips(followed)
        if not clips:
            raise BadVideo(f"shows no face in any of {followed.frames} frames")
        long = [clip for clip in clips if len(clip) >= min_frames]
        if not long:
            most = max(map(len, clips))
            raise BadVideo(f"shows a face in at most {most} frames in a row, {min_frames} are needed")
        counted = _count(video, followed, clips, long)
        if video.name in self._brought:
            counted = counted.model_copy(update={"brought": self._brought[video.name][1]})
        self._followed.append(counted)
        names = self._names(video.name, len(long))
        return [AlignedCrops(self, name, video, clip, followed.size) for name, clip in zip(names, long, strict=True)]

    def _follow(self, video: Entry) -> Followed:
        exact = self.exact_landmarks(video)
        fps = self.plan.settings.fps
        if exact is not None and fps is not None and abs(video.fps - fps) > 1e-3:
            raise UserError("landmarks: rendered knows a video at its own rate", field="fps", cure="Set fps: null.")
        known = self._brought[video.name][0] if video.name in self._brought else exact
        return self.aligner.follow(lambda: _frames(self.plan, video), video.name, (video.height, video.width), known)

    def _names(self, name: str, count: int) -> list[str]:
        """Name one clip `name`, several ones `name_1`, `name_2` ..., and none of them as another video."""
        if count == 1:
            return [name]
        others = {video.name.lower() for video in self.plan.videos}
        while True:
            names = [f"{name}_{part + 1:0{len(str(count))}d}" for part in range(count)]
            if not others & {part.lower() for part in names}:
                return names
            name += "_"

    def _log_progress(self, number: int, seconds: float) -> None:
        total = len(self.plan.videos)
        rate = sum(video.source_frames for video in self._followed) / seconds
        minutes = (total - number) * seconds / number / 60
        log.info("faces followed: %d of %d videos, %.1f frames/s, %.0f min left", number, total, rate, minutes)


def _count(video: Entry, followed: Followed, clips: list[Clip], kept: list[Clip]) -> FollowedVideo:
    """Count what became of the frames of a video: each is stored, or dropped for one reason."""
    found, stored = sum(map(len, clips)), sum(map(len, kept))
    dropped = {"no face": followed.frames - found, "short clip": found - stored}
    return FollowedVideo(
        name=video.name,
        source_frames=followed.frames,
        detected=followed.detected,
        interpolated=sum(int((~clip.measured).sum()) for clip in kept),
        splits=len(clips) - 1,
        crowded=followed.crowded,
        dropped={reason: count for reason, count in dropped.items() if count},
    )


def _first_face(landmarks: np.ndarray) -> np.ndarray:
    return landmarks[:, 0] if landmarks.ndim == 4 else landmarks


def _frames(plan: CropPlan, video: Entry) -> Iterator[np.ndarray]:
    return source_frames(FrameReader(plan.raw, [video]), video, plan.settings.fps)


class _ClipReader:
    """Reads clips of videos; those of one video that come one after the other share one decoder."""

    def __init__(self, plan: CropPlan):
        self._plan = plan
        self._name, self._next = "", 0
        self._open: Iterator[np.ndarray] = iter(())

    def frames(self, video: Entry, clip: Clip) -> Iterator[np.ndarray]:
        """Yield the frames of a clip, uint8 RGB [H, W, 3]."""
        if video.name != self._name or clip.start < self._next:
            self._open = _frames(self._plan, video)
            self._name, self._next = video.name, 0
        while self._next < clip.start + len(clip):
            frame = next(self._open)
            self._next += 1
            if self._next > clip.start:
                yield frame
