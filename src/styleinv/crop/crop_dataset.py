"""From raw videos to a frame store: crop every frame of every video, and keep a census of what became of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from styleinv.crop.align import Aligner
from styleinv.crop.aligned_videos import AlignedCrops, AlignedVideos
from styleinv.crop.crop_plan import plan_crop
from styleinv.crop.plain_videos import PlainCrops, plain_crops
from styleinv.crop.raw import BadVideo
from styleinv.crop.settings import Alignment, CropSettings
from styleinv.data.census import CropCensus, Kept, SkippedVideo
from styleinv.data.manifest import Manifest
from styleinv.data.store import new_store
from styleinv.errors import UserError


def crop_dataset(
    manifest: Manifest, raw: Path, out: Path, settings: CropSettings, aligner: Aligner | None = None
) -> CropCensus:
    """Crop all videos of a manifest into one frame store.

    Args:
        manifest: what was fetched.
        raw: the folder that its paths are relative to.
        out: the store to write, atomically.
        settings: of the data set.
        aligner: for `crop: ffhq`: finds and cuts out the faces.

    Returns:
        The census, which is also `meta["census"]` of the store.

    Raises:
        UserError: a bad video with on_bad_video = "error", no usable video, or videos that cannot be cropped so.
    """
    # What is to be done, and by whom.
    plan = plan_crop(manifest, raw, settings)
    skipped: list[SkippedVideo] = []
    faces = None
    crops: Iterator[PlainCrops | AlignedCrops]
    if isinstance(settings.crop, Alignment):
        if aligner is None:
            raise UserError("crop: ffhq needs an aligner")
        faces = AlignedVideos(plan, aligner, skipped)
        crops = faces.crops()
    else:
        crops = plain_crops(plan)

    # Store one video after the other; the store forgets a video whose crop fails.
    kept: list[Kept] = []
    with new_store(out, settings.codec) as store:
        for video in crops:
            try:
                store.add(video.name, video.frames())
            except BadVideo as problem:
                skipped.append(plan.skip(video.source, problem))
            else:
                kept.append(video.record())
        if not kept:
            raise UserError(
                f"no video is usable; {skipped[0].name}: {skipped[0].reason}",
                file=raw,
                cure="Correct the videos, or the data set's `crop` and `min_frames`.",
            )

        # The census, which goes into the store too.
        dropped = sum(record.dropped for record in kept)
        of_faces: dict[str, Any] = {}
        if faces is not None:
            of_faces = {"faces": faces.census(), "shake": faces.shake(kept)}
            dropped += sum(of_faces["faces"].dropped.values())
        census = CropCensus(
            videos=len(kept),
            frames=sum(record.frames for record in kept),
            dropped_frames=dropped,
            fps=plan.fps,
            other_rates=plan.other_rates,
            kept=tuple(kept),
            skipped=tuple(skipped),
            **of_faces,
        )
        about = {"crop": plan.record(), "source": manifest.source, "census": census.plain()}
        store.finish({"fps": plan.fps, **about})
    return census
