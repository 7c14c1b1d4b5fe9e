"""Crops that look at one frame at a time: by the centre, a box of the manifest, or a mask."""

from collections.abc import Callable, Iterator

import numpy as np

from styleinv.crop import mask as by_mask
from styleinv.crop.box import box_crop
from styleinv.crop.centre import centre_crop
from styleinv.crop.crop_plan import CropPlan
from styleinv.crop.raw import BadVideo, by, mask_frames, runs, source_frames
from styleinv.crop.settings import BoxCrop, MaskCrop
from styleinv.data.census import Kept
from styleinv.data.frame_reader import FrameReader
from styleinv.data.manifest import Entry

# From a source frame and its number to a stored frame, or None to drop it.
Cropper = Callable[[np.ndarray, int], np.ndarray | None]


class PlainCrops:
    """The crops of one video.

    Attributes:
        name: of the video in the store.
        source: the raw video.
    """

    def __init__(self, plan: CropPlan, source: Entry, reader: FrameReader):
        self.name, self.source = source.name, source
        self._plan, self._reader = plan, reader
        self._kept: list[int] = []
        self._seen = 0

    def frames(self) -> Iterator[np.ndarray]:
        """Read and crop the video: uint8 RGB [resolution, resolution, 3].

        Raises:
            BadVideo: it cannot be read or cropped, or too few frames are left of it.
        """
        plan = self._plan
        cropper = _cropper(plan, self.source)
        source = source_frames(self._reader, self.source, plan.settings.fps)
        for index, frame in enumerate(source):
            self._seen = index + 1
            image = cropper(frame, index)
            if image is not None:
                self._kept.append(index)
                yield image
        if len(self._kept) < plan.settings.min_frames:
            few = f"keeps {len(self._kept)} of {self._seen} frames"
            raise BadVideo(f"{few}, {plan.settings.min_frames} are needed")

    def record(self) -> Kept:
        """Return the video's record for the census, once its frames have been read."""
        return Kept(
            name=self.name,
            sha256=self.source.sha256,
            source_frames=self._seen,
            frames=len(self._kept),
            dropped=self._seen - len(self._kept),
            runs=runs(self._kept),
        )


def plain_crops(plan: CropPlan) -> Iterator[PlainCrops]:
    """Yield the crops of every video, to be read one after the other."""
    reader = FrameReader(plan.raw, plan.videos, plan.as_stored)
    return (PlainCrops(plan, video, reader) for video in plan.videos)


def _cropper(plan: CropPlan, video: Entry) -> Cropper:
    crop, resolution = plan.settings.crop, plan.settings.resolution
    if isinstance(crop, MaskCrop):
        return _by_mask(plan, video, crop)
    if isinstance(crop, BoxCrop):
        return _by_box(video, resolution)
    return lambda frame, index: centre_crop(frame, resolution)


def _by_box(video: Entry, resolution: int) -> Cropper:
    if video.box is None:
        raise BadVideo("has no box")
    box = video.box

    def cropper(frame: np.ndarray, index: int) -> np.ndarray:
        try:
            return box_crop(frame, box, resolution)
        except ValueError as error:
            raise BadVideo(str(error)) from None

    return cropper


def mask_boxes(plan: CropPlan, video: Entry) -> tuple[list[by_mask.Box | None], tuple[int, ...]]:
    """Find the box of what the mask marks in every frame of a video, and the height and width of the frames.

    Raises:
        BadVideo: there is no mask, it cannot be read, changes its size, or marks nothing where that spoils the video.
    """
    if not video.mask:
        raise BadVideo("has no mask")
    boxes: list[by_mask.Box | None] = []
    size: tuple[int, ...] = ()
    for marked in mask_frames(plan.raw / video.mask, plan.settings.fps, plan.as_stored):
        if size not in ((), marked.shape[:2]):
            raise BadVideo(f"its mask changes its size from {by(size)} to {by(marked.shape)}")
        size = marked.shape[:2]
        try:
            boxes.append(by_mask.tight_box(marked))
        except by_mask.NoFace:
            if plan.as_stored:
                raise BadVideo(f"the mask marks nothing in frame {len(boxes)}") from None
            boxes.append(None)
    return boxes, size


def _by_mask(plan: CropPlan, video: Entry, crop: MaskCrop) -> Cropper:
    resolution, fps = plan.settings.resolution, plan.settings.fps
    # All boxes come first: one frame without a face spoils the whole video, and smoothing looks ahead. Only boxes are
    # kept in memory.
    boxes, size = mask_boxes(plan, video)

    if crop.border == "faithful":
        # The shorter of video and mask decides, as in the official code.
        def cut(frame: np.ndarray, index: int) -> np.ndarray | None:
            box = boxes[index] if index < len(boxes) else None
            return None if box is None else by_mask.faithful_crop(frame, box, resolution)
    else:
        try:
            smooth = by_mask.smooth_boxes(boxes, fps or video.fps)
        except by_mask.NoFace as problem:
            raise BadVideo(str(problem)) from None

        def cut(frame: np.ndarray, index: int) -> np.ndarray | None:
            return by_mask.fixed_crop(frame, smooth[min(index, len(smooth) - 1)], resolution)

    def cropper(frame: np.ndarray, index: int) -> np.ndarray | None:
        if frame.shape[:2] != size:
            raise BadVideo(f"is {by(frame.shape)}, its mask {by(size)}")
        return cut(frame, index)

    return cropper
