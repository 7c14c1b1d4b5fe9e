"""FFHQ crops of videos, in two passes: where the face is in all frames, then the frames again, cut and straightened.

Between the passes a video is some numbers per frame, so an hour of it takes the memory of a second.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from styleinv.crop import shake
from styleinv.crop.faces import FaceDetector, HeatmapNetwork
from styleinv.crop.fan import Fan
from styleinv.crop.ffhq import Cropper, square
from styleinv.crop.follow import Followed, follow
from styleinv.crop.rendered import RenderedFaces, read_landmarks
from styleinv.crop.retinaface import RetinaFace
from styleinv.crop.settings import Alignment
from styleinv.crop.stabilise import Clip, smooth, split_at_gaps
from styleinv.errors import UserError

Frames = Callable[[], Iterable[np.ndarray]]


class Aligner:
    """Finds and cuts out the face of videos.

    Args:
        settings: how it is stabilised.
        resolution: side of the crops in pixels.
        weights: folder of the published weights; not looked at where landmarks are rendered.
        device: where the networks run.

    Raises:
        UserError: the weights have not been fetched, have another hash or do not fit.
    """

    def __init__(self, settings: Alignment, resolution: int, weights: Path, device: torch.device):
        self.settings, self.resolution = settings, resolution
        self.hashes: dict[str, str] = {}
        self._networks: tuple[FaceDetector, HeatmapNetwork] | None = None
        if settings.landmarks == "fan":
            detector = RetinaFace(weights, device, settings.confidence)
            network = Fan(weights, device, settings.decoding, settings.flip)
            self.hashes = {"retinaface_resnet50": detector.sha256, "fan_2d4": network.sha256}
            self._networks = detector, network

    @property
    def stand_in(self) -> bool:
        """True where exact landmarks stand in for the networks."""
        return self._networks is None

    def follow(self, frames: Frames, video: str, size: tuple[int, int], landmarks: Path | None = None) -> Followed:
        """Find the face in every frame of a video: the first pass.

        Args:
            frames: starts reading the video.
            video: its name, which the shifts of the boxes depend on.
            size: height and width in pixels.
            landmarks: the exact ones, where they stand in for the networks.

        Raises:
            BadVideo: frames of several sizes, or more of them than exact landmarks.
            UserError: no exact landmarks at all. What reading the video raises passes through.
        """
        if self._networks is not None:
            return follow(frames, *self._networks, self.settings, video)
        if landmarks is None:
            cure = "landmarks: rendered is for the synthetic faces alone; use landmarks: fan."
            raise UserError(f"nothing is known of the landmarks of {video}", cure=cure)
        faces = RenderedFaces(read_landmarks(landmarks), size, self.settings.seed, video)
        return follow(frames, faces, faces, self.settings, video)

    def clips(self, followed: Followed) -> list[Clip]:
        """Divide a video into clips, with gaps filled and squares smoothed as the settings say."""
        found = split_at_gaps(followed.squares, self.settings.max_gap)
        return [smooth(clip, self.settings.sigma_centre, self.settings.sigma_size) for clip in found]

    def cropper(self, clip: Clip, size: tuple[int, int]) -> Cropper:
        """Make the cropper of a clip, for frames of a height and width."""
        return Cropper(clip.squares, size, self.resolution, once=self.settings.shrink_and_pad == "video")

    def crop(self, frames: Iterable[np.ndarray], clip: Clip, size: tuple[int, int]) -> Iterator[np.ndarray]:
        """Yield the crops of a clip, uint8 RGB [resolution, resolution, 3]: the second pass.

        Args:
            frames: those of the clip, from its first on.
            clip: from `clips`.
            size: height and width of the frames in pixels.
        """
        cropper = self.cropper(clip, size)
        pairs = zip(clip.squares, frames, strict=False)
        for chosen, frame in islice(pairs, 1):  # what is decided at the first frame holds for those that follow
            yield cropper.crop(frame, chosen)
        # Pillow releases the interpreter lock; few frames are in memory.
        workers = min(8, len(os.sched_getaffinity(0)))
        with ThreadPoolExecutor(workers) as pool:
            waiting: deque[Future[np.ndarray]] = deque()
            for chosen, frame in pairs:
                waiting.append(pool.submit(cropper.crop, frame, chosen))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def shake(self, clip: Clip, fps: float) -> dict[str, Any]:
        """Measure how much a clip shakes, from its squares."""
        return shake.rounded(shake.measure(clip.squares, self.resolution, fps))

    def error(self, clip: Clip, exact: np.ndarray) -> dict[str, Any]:
        """Measure how far a clip is from exact anchors [T, 4, 2] of its source, where these are known."""
        points = exact[clip.start : clip.start + len(clip)]
        return shake.rounded(
            {
                "jitter": shake.jitter(clip.squares, square(points), self.resolution),
                "residual": shake.residual(points, clip.squares, self.resolution),
            }
        )
