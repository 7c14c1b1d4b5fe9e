"""A user's own folder of videos, or one with `original/` and `mask/` sub-folders."""

from pathlib import Path

from styleinv.data.check import denials
from styleinv.data.intake import refuse_inside, take_in
from styleinv.data.manifest import Manifest
from styleinv.data.source import Job, Probe, SourceConfig, probe_by
from styleinv.data.video import list_videos
from styleinv.files import expand


class Config(SourceConfig):
    """A folder of video files, or one with `original/` and `mask/` sub-folders.

    Attributes:
        path: the folder.
    """

    path: str


def fetch(source: Config, job: Job) -> Manifest:
    """Take the folder in."""
    return take_folder(expand(source.path, "source.path"), job)


def probe(source: Config, job: Job) -> Probe:
    """Report how many videos are in the folder."""

    def look() -> str:
        originals, _, found = _look(expand(source.path, "source.path"), job, job.denied())
        return f"{originals} holds {len(found)} videos"

    return probe_by(look)


def take_folder(folder: Path, job: Job) -> Manifest:
    """Take in a folder of videos in any layout and format, without copying.

    A folder with `original/` and `mask/` (FaceForensics; also below `train/`) gives each video the mask of the same
    name.

    Args:
        folder: sub-folders count, names may hold spaces and any letters.
        job: what to do.

    Raises:
        UserError: no folder, no videos, a missing mask, or a bad video with on_bad_video = "error".
    """
    denied: list[OSError] = []
    originals, masks, found = _look(folder, job, denied)
    partners = {video: masks / video.relative_to(originals) for video in found} if masks else None
    about = {"kind": "folder", "name": folder.resolve().name, "masks": masks is not None}
    return take_in(about, found, originals, job, masks=partners, judged=denials(denied))


def _look(folder: Path, job: Job, denied: list[OSError] | None) -> tuple[Path, Path | None, list[Path]]:
    """Find the videos, and the folders of them and of their masks."""
    refuse_inside(folder, job.raw)
    originals, masks = _layout(folder)
    return originals, masks, list_videos(originals, denied)


def _layout(source: Path) -> tuple[Path, Path | None]:
    """Where the videos are, and where their masks are if there are any."""
    for base in (source, source / "train"):
        if (base / "original").is_dir() and (base / "mask").is_dir():
            return base / "original", base / "mask"
    return source, None
