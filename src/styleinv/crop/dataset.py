"""From raw videos to a frame store: decode each once, crop every frame, and keep a census of what became of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from styleinv.crop import mask as by_mask
from styleinv.crop.align import Aligner
from styleinv.crop.aligned_dataset import AlignedVideos
from styleinv.crop.box import box_crop
from styleinv.crop.centre import centre_crop
from styleinv.crop.raw import BadVideo, mask_frames, resampling, runs, source_frames
from styleinv.data.frames import FrameReader
from styleinv.data.store import Codec, DropVideo, order, write_store
from styleinv.errors import UserError

Cropper = Callable[[np.ndarray, int], np.ndarray | None]


def crop_dataset(
    manifest: dict[str, Any],
    raw: str | Path,
    out_zip: str | Path,
    crop: Literal["centre", "mask", "box", "ffhq"],
    border: Literal["faithful", "fixed"],
    resolution: int,
    fps: float | None,
    codec: Codec,
    min_frames: int,
    on_bad_video: Literal["error", "skip"],
    aligner: Aligner | None = None,
) -> dict[str, Any]:
    """Crop all videos of a manifest into one frame store.

    Args:
        manifest: from `fetch_folder` or `fetch_synthetic`.
        raw: the folder that the manifest's paths are relative to.
        out_zip: the store to write, atomically.
        crop: the centre square, the square around the mask of each frame, the box that the manifest gives, or the
            aligned face.
        border: for `mask`: the official rules with their dropped frames, or smooth boxes and mirrored borders (see
            `crop.mask`).
        resolution: side of the stored frames in pixels.
        fps: resample videos of another rate to this one. None keeps all frames; the set then counts as having its most
            frequent rate.
        codec: of the stored frames.
        min_frames: videos that keep fewer are bad.
        on_bad_video: what to do about corrupt or too short videos and those without a face or mask: stop, or leave them
            out and say so.
        aligner: for `ffhq`: finds and cuts out the faces.

    Returns:
        The census, which is also `meta["census"]` of the store: {"videos", "frames", "dropped_frames", "fps",
        "other_rates", "kept": [{"name", "sha256", "source_frames", "frames", "dropped", "runs"}], "skipped": [{"name",
        "reason"}]}. `runs` maps stored to source frames: a list of [first, length] of source frames that follow each
        other. With `ffhq` also "faces" and "shake" (see `aligned_dataset`), and a split video is several of `kept`.

    Raises:
        UserError: a bad video with on_bad_video = "error", no usable video, or a nonsensical argument.
    """
    if (
        crop not in ("centre", "mask", "box", "ffhq")
        or border not in ("faithful", "fixed")
        or on_bad_video not in ("error", "skip")
    ):
        raise UserError(f"no such choice: crop {crop!r}, border {border!r}, on_bad_video {on_bad_video!r}")
    if resolution < 1 or min_frames < 1:
        raise UserError(f"resolution and min_frames must be at least 1, not {resolution} and {min_frames}")
    videos = sorted(manifest["videos"], key=lambda video: order(video["name"]))
    if not videos:
        raise UserError("there are no videos to crop", file=raw, cure="Run the fetch stage first.")
    if fps is not None and any("clip" in video for video in videos):
        cure = "Set fps: null; every clip keeps its rate."
        raise UserError("clips of longer videos are not resampled", file=raw, field="fps", cure=cure)
    if crop == "mask" and not any(video["mask"] for video in videos):
        cure = "Use crop: centre, or a source with original/ and mask/ folders."
        raise UserError("has no masks", file=raw, cure=cure)
    set_fps = fps or _common_rate(videos)
    census: dict[str, Any] = {"videos": 0, "frames": 0, "dropped_frames": 0, "fps": set_fps}
    census["other_rates"] = sum(abs(video["fps"] - set_fps) > 1e-3 for video in videos)
    census |= {"kept": [], "skipped": []}
    settings: dict[str, Any] = {"crop": crop, "border": border if crop == "mask" else None, "fps": fps}
    settings["min_frames"] = min_frames

    def refuse(video: dict[str, Any], problem: BadVideo) -> None:
        if on_bad_video == "error":
            cure = "Remove or replace it, or set on_bad_video: skip."
            raise UserError(str(problem), file=Path(raw) / video["file"], cure=cure) from None
        census["skipped"].append({"name": video["name"], "reason": str(problem)})

    reader = FrameReader(Path(raw), videos)

    def frames_of(video: dict[str, Any]) -> Iterator[np.ndarray]:
        kept: list[int] = []
        seen = 0
        try:
            cropper = _cropper(video, Path(raw), crop, border, resolution, resampling(video, fps))
            for index, frame in enumerate(source_frames(reader, video, Path(raw), resampling(video, fps))):
                seen = index + 1
                image = cropper(frame, index)
                if image is not None:
                    kept.append(index)
                    yield image
            if len(kept) < min_frames:
                raise BadVideo(f"keeps {len(kept)} of {seen} frames, {min_frames} are needed")
        except BadVideo as problem:
            refuse(video, problem)
            raise DropVideo from None
        census["videos"] += 1
        census["frames"] += len(kept)
        census["dropped_frames"] += seen - len(kept)
        record = {"name": video["name"], "sha256": video["sha256"], "source_frames": seen, "frames": len(kept)}
        census["kept"].append(record | {"dropped": seen - len(kept), "runs": runs(kept)})

    if crop == "ffhq":
        if aligner is None:
            raise UserError("crop: ffhq needs an aligner")
        settings |= aligner.settings.record()
        aligned = AlignedVideos(aligner, videos, Path(raw), fps, min_frames, census, refuse)
        entries: Iterable[tuple[str, Iterator[np.ndarray]]] = aligned.entries()
    else:
        entries = ((video["name"], frames_of(video)) for video in videos)
    meta = {"fps": set_fps, "crop": settings, "source": manifest["source"], "census": census}
    try:
        write_store(out_zip, entries, meta, codec)
    except UserError as error:
        if len(census["skipped"]) == len(videos):
            first = census["skipped"][0]
            raise UserError(f"no video is usable; {first['name']}: {first['reason']}", file=raw) from error
        raise
    return census


def _cropper(video: dict[str, Any], raw: Path, crop: str, border: str, resolution: int, fps: float | None) -> Cropper:
    """The function that turns source frame `index` of this video into a stored one, or None to drop it."""
    if crop == "centre":
        return lambda frame, index: centre_crop(frame, resolution)
    if crop == "box":
        return _by_box(video, resolution)
    if not video["mask"]:
        raise BadVideo("has no mask")
    # All boxes come first: one frame without a face spoils the whole video, and smoothing looks ahead. Only boxes are
    # kept in memory.
    boxes: list[by_mask.Box | None] = []
    size = (video["height"], video["width"])
    for marked in mask_frames(raw / video["mask"], fps):
        if marked.shape[:2] != size:
            raise BadVideo(f"is {size[1]} x {size[0]}, its mask {marked.shape[1]} x {marked.shape[0]}")
        try:
            boxes.append(by_mask.tight_box(marked))
        except by_mask.NoFace:
            if border == "faithful":
                raise BadVideo(f"the mask marks nothing in frame {len(boxes)}") from None
            boxes.append(None)
    if border == "faithful":
        # The shorter of video and mask decides, as in the official code.
        return lambda frame, index: _faithful(frame, boxes, index, resolution)
    try:
        smooth = by_mask.smooth_boxes(boxes, fps or video["fps"])
    except by_mask.NoFace as problem:
        raise BadVideo(str(problem)) from None
    return lambda frame, index: by_mask.fixed_crop(frame, smooth[min(index, len(smooth) - 1)], resolution)


def _faithful(frame: np.ndarray, boxes: list[by_mask.Box | None], index: int, resolution: int) -> np.ndarray | None:
    box = boxes[index] if index < len(boxes) else None
    return None if box is None else by_mask.faithful_crop(frame, box, resolution)


def _by_box(video: dict[str, Any], resolution: int) -> Cropper:
    if not video.get("box"):
        raise BadVideo("has no box")
    left, top, right, bottom = video["box"]

    def cropper(frame: np.ndarray, index: int) -> np.ndarray:
        try:
            return box_crop(frame, (left, top, right, bottom), resolution)
        except ValueError as error:
            raise BadVideo(str(error)) from None

    return cropper


def _common_rate(videos: list[dict[str, Any]]) -> float:
    """The most frequent rate, the lower of two equally frequent ones."""
    counts = Counter(round(float(video["fps"]), 3) for video in videos)
    common = min(counts, key=lambda rate: (-counts[rate], rate))
    return next(float(video["fps"]) for video in videos if round(float(video["fps"]), 3) == common)
