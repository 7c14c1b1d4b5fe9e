"""Still images, in a folder or a zip: every image is a video of one frame (style sets)."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from styleinv.data.check import Finding, VideoFacts, denials
from styleinv.data.image import decode_image
from styleinv.data.intake import link_good
from styleinv.data.manifest import Manifest, Missing
from styleinv.data.source import ImagesConfig, Job, Probe, local
from styleinv.data.sources.frames import images_below, images_inside, probe_frames
from styleinv.errors import cannot_read

OBTAIN = "Put a folder of images there, or a zip of it."


class Config(ImagesConfig):
    """A folder, or a zip, of still images: every image is a video of one frame."""


def fetch(source: Config, job: Job) -> Manifest:
    """Take in the folder or zip."""
    return take_images(local(source.path, source.obtain or OBTAIN), job)


def probe(source: Config, job: Job) -> Probe:
    """Report how many images are there."""
    return probe_frames(source.path, source.obtain or OBTAIN, job)


def take_images(path: Path, job: Job, md5: Mapping[str, str] | None = None, kind: str = "images") -> Manifest:
    """Take in every image below a folder or inside a zip.

    Args:
        path: the folder or zip.
        job: what to do.
        md5: name of each image by its hash, where they are known: no other may be there, and what is not is missing.
        kind: name of the source in the manifest.

    Returns:
        The manifest; every image has been decoded once.

    Raises:
        UserError: no images, or bad ones that are not to be skipped.
    """
    # Decode every image.
    judged: list[Finding] = []
    facts: list[VideoFacts] = []
    md5_of: dict[Path, str] = {}
    for file, data in _contents(path, job, judged):
        facts.append(_facts(file, data, job.fps))
        md5_of[file] = hashlib.md5(data, usedforsecurity=False).hexdigest()
    whole = [image for image in facts if not image.error]
    for image in facts:
        if image.error:
            judged.append(
                Finding(image.file, "empty" if image.error.startswith("is empty") else "corrupt", image.error)
            )

    # Compare with the published list.
    missing: list[Missing] = []
    if md5:
        for image in whole:
            if md5_of[image.file] not in md5:
                detail = f"MD5 {md5_of[image.file]} is none of the set's"
                judged.append(Finding(image.file, "wrong hash", detail))
        good = {md5_of[image.file] for image in whole}
        there = {image.file.name for image in facts}
        absent = (name for digest, name in md5.items() if digest not in good)
        missing = [Missing(name=n, reason="not in the folder") for n in absent if PurePosixPath(n).name not in there]
    about = {"kind": kind, "name": path.resolve().name, "masks": False}
    return link_good(about, whole, judged, path, job, missing=missing)


def _contents(path: Path, job: Job, judged: list[Finding]) -> Iterator[tuple[Path, bytes]]:
    """Read every image; those that cannot be read are added to `judged`."""
    if path.is_dir():
        denied: list[OSError] = []
        groups = images_below(path, job, denied, OBTAIN)
        judged += denials(denied)
        for image in sorted((image for group in groups.values() for image in group), key=str):
            try:
                yield image, image.read_bytes()
            except OSError as error:
                judged.append(Finding(image, "unreadable", cannot_read(image, error).said))
        return
    archive = images_inside(path, OBTAIN)
    judged += [Finding(path / member, "refused", why) for member, why in archive.refused]
    for member in (member for members in archive.folders.values() for member in members):
        try:
            data = archive.read(member)
        except ValueError as error:
            judged.append(Finding(path / member.filename, "corrupt", str(error)))
        else:
            yield path / member.filename, data


def _facts(file: Path, data: bytes, fps: float) -> VideoFacts:
    digest = hashlib.sha256(data).hexdigest()
    try:
        height, width = decode_image(data).shape[:2]
    except ValueError as error:
        return VideoFacts(file, digest, error=str(error))
    return VideoFacts(file, digest, width, height, fps, 1)
