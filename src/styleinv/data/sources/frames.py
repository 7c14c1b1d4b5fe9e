"""Videos as folders of images, in a folder or a zip: every folder that holds images is one video.

Nothing is copied or unpacked: a data set of a million small files stays one file where it comes as one.
"""

import hashlib
import os
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from styleinv import files
from styleinv.data.check import Finding, VideoFacts, denials
from styleinv.data.frame_reader import encoded_images
from styleinv.data.image import image_size
from styleinv.data.image_zip import ImageZip, open_zip
from styleinv.data.intake import link_good, refuse_inside, safe_names
from styleinv.data.manifest import Manifest
from styleinv.data.source import ImagesConfig, Job, Probe, local, probe_by
from styleinv.data.tree import walk
from styleinv.data.video_folder import image_folders
from styleinv.errors import UserError

OBTAIN = "Put a folder of folders of images there, or a zip of it."


class Config(ImagesConfig):
    """A folder, or a zip, of folders of images: every folder that holds images is a video."""


def fetch(source: Config, job: Job) -> Manifest:
    """Take in the folder or zip."""
    return take_frames(local(source.path, source.obtain or OBTAIN), job)


def probe(source: Config, job: Job) -> Probe:
    """Report how many folders of images are there."""
    return probe_frames(source.path, source.obtain or OBTAIN, job)


def probe_frames(path: str, obtain: str, job: Job) -> Probe:
    """Report how many folders of images are at a path of the configuration."""

    def look() -> str:
        place = local(path, obtain)
        below = place.is_dir()
        folders = images_below(place, job, job.denied(), obtain) if below else images_inside(place, obtain).folders
        if not folders:
            raise UserError("holds no images that can be used", file=place, cure=obtain)
        return f"{place} holds {sum(map(len, folders.values()))} images in {len(folders)} folders"

    return probe_by(look)


def images_below(
    folder: Path, job: Job, denied: list[OSError] | None, obtain: str = OBTAIN
) -> Mapping[str, Sequence[Path]]:
    """Find the images below a folder, by their folders; none at all only where something could not be read.

    Args:
        folder: where they are.
        job: the fetch.
        denied: as for `data.tree.walk`.
        obtain: how to get them.

    Raises:
        UserError: there are none.
    """
    refuse_inside(folder, job.raw)
    groups, _ = image_folders(folder, denied)
    if not groups and not denied:
        raise UserError("holds no images", file=folder, cure=obtain)
    return groups


def images_inside(path: Path, obtain: str = OBTAIN) -> ImageZip:
    """Open a zip of images; it holds none at all only where it holds some that are refused.

    Raises:
        UserError: it is no zip, or holds no images.
    """
    archive = open_zip(path.resolve())
    if not archive.folders and archive.archives:
        cure = "Unpack it and name the inner zip (source.path, or source.member)."
        raise UserError(f"holds no images but {archive.archives[0]}", file=path, cure=cure)
    if not archive.folders and not archive.refused:
        raise UserError("holds no images", file=path, cure=obtain)
    return archive


def take_frames(path: Path, job: Job, kind: str = "frames") -> Manifest:
    """Take in folders of images below a folder or inside a zip.

    A video has the name of its folder, or its whole path where two folders share a name.

    Returns:
        The manifest; only the first image of each video has been decoded.

    Raises:
        UserError: no images, or bad videos that are not to be skipped.
    """
    facts = []
    if path.is_dir():
        denied: list[OSError] = []
        groups = images_below(path, job, denied)
        judged = [*denials(denied), *(Finding(place, "empty", "holds no images") for place in _empty_folders(path))]
        for folder, images in groups.items():
            try:
                contents = [f"{image.name}\0{files.sha256(image)}" for image in images]
            except OSError as error:
                name = os.path.basename(error.filename)
                judged.append(Finding(path / folder, "unreadable", f"{name} cannot be read ({error.strerror})"))
            else:
                facts.append(_facts(path / folder, contents, job.fps))
    else:
        archive = images_inside(path)
        judged = [Finding(path / member, "refused", why) for member, why in archive.refused]
        for folder, members in archive.folders.items():
            if lost := archive.holes.get(folder):  # without one of its frames a video would jump, so it goes as a whole
                judged.append(Finding(path / folder, "refused", f"its frame {lost}"))
            else:
                facts.append(_facts(path / folder, [_fingerprint(member) for member in members], job.fps))
    judged += [Finding(video.file, "corrupt", video.error) for video in facts if video.error]
    about = {"kind": kind, "name": path.resolve().name, "masks": False}
    whole = [video for video in facts if not video.error]
    return link_good(about, whole, judged, path, job, lambda folders: folder_names(folders, path.name))


def folder_names(folders: Sequence[Path], root: str) -> list[str]:
    """Make a plain name for each folder: its own where no other has it, else its whole path.

    Args:
        folders: relative to their root.
        root: name of the root, for the case that it is a video itself.
    """
    own = [folder.name or root for folder in folders]
    alike = Counter(map(str.lower, own))
    chosen = [n if alike[n.lower()] == 1 else folder.as_posix() for n, folder in zip(own, folders, strict=True)]
    return safe_names([Path(f"{name}.frames") for name in chosen])


def _facts(folder: Path, contents: Sequence[str], fps: float) -> VideoFacts:
    digest = hashlib.sha256("\n".join(contents).encode("utf-8", "surrogateescape")).hexdigest()
    try:
        width, height = _first_size(folder)
    except ValueError as error:
        return VideoFacts(folder, digest, error=str(error))
    return VideoFacts(folder, digest, width, height, fps, len(contents))


def _fingerprint(member: zipfile.ZipInfo) -> str:
    return f"{member.filename.rpartition('/')[2]}\0{member.CRC:08x} {member.file_size}"


def _first_size(folder: Path) -> tuple[int, int]:
    """Read width and height of the first image of a folder, which may lie inside a zip."""
    path = next(parent for parent in (folder, *folder.parents) if parent.exists())
    inside = None if path.is_dir() else folder.relative_to(path).as_posix()
    try:
        name, data = next(encoded_images(path, "" if inside == "." else inside))
    except UserError as error:
        raise ValueError(error.said) from None
    try:
        return image_size(data)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _empty_folders(root: Path) -> list[Path]:
    """List folders that hold nothing at all."""
    found = ((place, names) for place, names in walk(root, []) if not names)
    return sorted(place for place, _ in found if not any(place.iterdir()))
