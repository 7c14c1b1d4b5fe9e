"""Still images, in a folder or a zip: every image is a video of one frame (style sets)."""

import functools
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from styleinv.data.check import Finding, VideoFacts
from styleinv.data.image import decode_image
from styleinv.data.image_zip import open_zip
from styleinv.data.intake import accounted, entry_of, link, refuse_inside, remove_links, safe_names, sift
from styleinv.data.manifest import Manifest, Missing
from styleinv.data.source import Job, Probe, SourceConfig, local, probe_local
from styleinv.data.video_folder import image_folders
from styleinv.errors import UserError

OBTAIN = "Put a folder of images there, or a zip of it."


class Config(SourceConfig):
    """A folder, or a zip, of still images: every image is a video of one frame.

    Attributes:
        path: the folder or zip.
        obtain: how to get it, for whoever does not have it.
    """

    path: str
    obtain: str = ""


def fetch(source: Config, job: Job) -> Manifest:
    """Take in the folder or zip."""
    return take_images(local(source.path, source.obtain or OBTAIN), job)


def probe(source: Config, job: Job) -> Probe:
    """Report whether it is there."""
    return probe_local(source.path, source.obtain or OBTAIN)


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
    judged: list[Finding] = []
    contents: dict[Path, Callable[[], bytes]] = {}
    if path.is_dir():
        refuse_inside(path, job.raw)
        images = sorted((image for group in image_folders(path)[0].values() for image in group), key=str)
        facts = [_facts(image, image.read_bytes(), job.fps) for image in images]
        contents = {image: image.read_bytes for image in images}
    else:
        archive = open_zip(path.resolve())
        judged += [Finding(path / member, "refused", why) for member, why in archive.refused]
        facts = []
        for member in (member for members in archive.folders.values() for member in members):
            file = path / member.filename
            try:
                facts.append(_facts(file, archive.read(member), job.fps))
            except ValueError as error:
                judged.append(Finding(file, "corrupt", str(error)))
            contents[file] = functools.partial(archive.read, member)
    judged += [
        Finding(image.file, "empty" if image.error.startswith("is empty") else "corrupt", image.error)
        for image in facts
        if image.error
    ]
    whole = [image for image in facts if not image.error]
    missing: list[Missing] = []
    if md5:
        hashes = {image.file: _md5(contents[image.file]()) for image in whole}
        judged += [
            Finding(file, "wrong hash", f"MD5 {digest} is none of the set's")
            for file, digest in hashes.items()
            if digest not in md5
        ]
        there = {image.file.name for image in facts}
        absent = [name for digest, name in md5.items() if digest not in hashes.values()]
        missing = [
            Missing(name=name, reason="not in the folder") for name in absent if PurePosixPath(name).name not in there
        ]
    if not facts and not judged:
        raise UserError("holds no images", file=path, cure=OBTAIN)
    good, judged = sift(whole, judged, job)
    remove_links(job.raw)
    videos = []
    for name, image in zip(safe_names([v.file.relative_to(path) for v in good]), good, strict=True):
        if path.is_dir():
            entry = entry_of(name, f"original/{name}{image.file.suffix.lower()}", image)
            link(image.file, job.raw / entry.file)
        else:
            inside = image.file.relative_to(path).as_posix()
            entry = entry_of(name, f"original/{path.name}", image, inside=inside)
        videos.append(entry)
    if not path.is_dir():
        link(path, job.raw / "original" / path.name)
    about = {"kind": kind, "name": path.resolve().name, "masks": False}
    return accounted(about, videos, judged, path, missing)


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _facts(file: Path, data: bytes, fps: float) -> VideoFacts:
    digest = hashlib.sha256(data).hexdigest()
    try:
        height, width = decode_image(data).shape[:2]
    except ValueError as error:
        return VideoFacts(file, digest, error=str(error))
    return VideoFacts(file, digest, width, height, fps, 1)
