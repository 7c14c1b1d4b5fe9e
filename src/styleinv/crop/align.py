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
from styleinv.crop.follow import Followed, follow, follow_boxes, follow_landmarks
from styleinv.crop.rendered import RenderedFaces, read_exact
from styleinv.crop.retinaface import RetinaFace
from styleinv.crop.settings import Alignment
from styleinv.crop.stabilise import Clip, smooth, split_at_gaps
from styleinv.data.weights import WEIGHTS, where
from styleinv.errors import UserError

Frames = Callable[[], Iterable[np.ndarray]]


def require_weights(settings: Alignment, folder: Path) -> None:
    """Look whether the weights are there, without opening them.

    Raises:
        UserError: some are not; all of these are named, and how to do without them.
    """
    names = (
        [] if settings.landmarks != "fan" else ["fan_2d4"] if settings.brought else ["retinaface_resnet50", "fan_2d4"]
    )
    absent = []
    for name in names:
        try:
            where(name, folder)
        except UserError as error:
            if not str(error).startswith(f"{folder / WEIGHTS[name].file_name}: "):
                raise  # about a file that an environment variable names
            absent.append(name)
    if absent:
        fetch = f"Run `styleinv weights fetch {' '.join(absent)}` where there is a network"
        cure = f"{fetch}, or bring landmarks of your own: docs/cropping.md."
        raise UserError(f"needs the weights {' and '.join(absent)}, which are not here", field="crop: ffhq", cure=cure)


class Aligner:
    """Finds and cuts out the face of videos.

    Args:
        settings: how it is stabilised.
        resolution: side of the crops in pixels.
        weights: folder of the published weights; of those that are asked only where nothing is brought instead.
        device: where the networks run.

    Raises:
        UserError: the weights have not been fetched, have another hash or do not fit.
    """

    def __init__(self, settings: Alignment, resolution: int, weights: Path, device: torch.device):
        self.settings, self.resolution = settings, resolution
        self.hashes: dict[str, str] = {}
        self._detector: FaceDetector | None = None
        self._network: HeatmapNetwork | None = None
        require_weights(settings, weights)
        if settings.landmarks == "fan":
            if settings.brought is None:
                self._detector = detector = RetinaFace(weights, device, settings.confidence)
                self.hashes["retinaface_resnet50"] = detector.sha256
            self._network = network = Fan(weights, device, settings.decoding, settings.flip)
            self.hashes["fan_2d4"] = network.sha256

    @property
    def stand_in(self) -> bool:
        """True where exact landmarks stand in for the networks."""
        return self.settings.landmarks == "rendered"

    def follow(
        self, frames: Frames, video: str, size: tuple[int, int], known: np.ndarray | Path | None = None
    ) -> Followed:
        """Find the face in every frame of a video: the first pass.

        Args:
            frames: starts reading the video.
            video: its name, which the shifts of the boxes depend on.
            size: height and width in pixels.
            known: what was brought for it, from `crop.brought`; or the file of the exact landmarks, where these stand
                in.

        Raises:
            BadVideo: frames of several sizes, or another number of them than was brought for.
            UserError: no exact landmarks at all. What reading the video raises passes through.
        """
        if isinstance(known, np.ndarray):
            if self._network is None:
                return follow_landmarks(frames, known)
            return follow_boxes(frames, known, self._network, self.settings, video)
        if self._detector is not None and self._network is not None:
            return follow(frames, self._detector, self._network, self.settings, video)
        if known is None:
            cure = "landmarks: rendered is for the synthetic faces alone; use landmarks: fan."
            raise UserError(f"nothing is known of the landmarks of {video}", cure=cure)
        faces = RenderedFaces(read_exact(known), size, self.settings.seed, video)
        return follow(frames, faces, faces, self.settings, video)

    def faces(self, picture: np.ndarray) -> np.ndarray:
        """Find the faces in a picture uint8 RGB [H, W, 3]: float64 [faces, 5], a box and its score, best first."""
        assert self._detector is not None, "boxes are brought, or are known"
        return self._detector.detect([picture], [0])[0]

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
