"""FaceForensics, the first version (Rössler et al. 2018), not FaceForensics++: videos and the masks of their faces."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from styleinv.data.check import denials
from styleinv.data.intake import refuse_inside, take_in
from styleinv.data.manifest import Manifest
from styleinv.data.source import Job, Probe, SourceConfig, local, probe_by
from styleinv.data.video import list_videos

OBTAIN = (
    "Accept the terms of use with the form at "
    "https://docs.google.com/forms/d/e/1FAIpQLSdRRR3L5zAv6tQ_CKxmK4W96tAab_pfBu2EKAgQbeDVhmXagg/viewform ; the answer "
    "brings a download script: fetch its data set `compressed` of FaceForensics v1 (130 GB; --server EU2 where it "
    "hangs) and name the folder that holds train/original/ and train/mask/ in source.path or STYLEINV_FACEFORENSICS."
)


class Config(SourceConfig):
    """FaceForensics (the first version, 2018), unpacked.

    Attributes:
        path: the folder that holds `train/original/` and `train/mask/`.
        split: which of its splits.
        rate: frames per second that every video must have.
    """

    path: str = "$STYLEINV_FACEFORENSICS"
    split: Literal["train", "val", "test"] = "train"
    rate: float = Field(30, gt=0)


def fetch(source: Config, job: Job) -> Manifest:
    """Take in the videos of the split that have a mask of the same name, with any suffix.

    Raises:
        AccessError: the archive is not there.
        UserError: it holds no usable video.
    """
    denied: list[OSError] = []
    root, found, all_masks = _look(source, job, denied)
    originals, masks = root / source.split / "original", root / source.split / "mask"
    by_stem = {mask.relative_to(masks).with_suffix(""): mask for mask in all_masks}
    partners = {}
    for video in found:
        name = video.relative_to(originals)
        partners[video] = by_stem.get(name.with_suffix(""), masks / name)
    about = {"kind": "faceforensics", "name": root.resolve().name, "split": source.split, "masks": True}
    judged = denials(denied)
    return take_in(about, found, originals, job, masks=partners, rate=source.rate, judged=judged)


def probe(source: Config, job: Job) -> Probe:
    """Report how many videos and masks are in the archive."""

    def look() -> str:
        root, found, masks = _look(source, job, job.denied())
        return f"{root} holds {len(found)} videos and {len(masks)} masks of {source.split}"

    return probe_by(look)


def _look(source: Config, job: Job, denied: list[OSError] | None) -> tuple[Path, list[Path], list[Path]]:
    """Find the archive, its videos and their masks."""
    folders = (f"{source.split}/original", f"{source.split}/mask")
    root = local(source.path, OBTAIN, folders)
    refuse_inside(root, job.raw)
    originals, masks = (list_videos(root / folder, denied) for folder in folders)
    return root, originals, masks
