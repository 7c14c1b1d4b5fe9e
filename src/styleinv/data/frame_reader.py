"""Frames of the entries of a manifest, which may be videos, clips of them, or images in a folder or a zip."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from styleinv.data.image import decode_image
from styleinv.data.image_zip import open_zip
from styleinv.data.manifest import Entry, Span
from styleinv.data.video import read_frames, read_selected
from styleinv.data.video_folder import is_image
from styleinv.errors import UserError
from styleinv.files import natural_order

CLIP_TOLERANCE = 1  # frames: what rounding between two rates may take or add


class FrameReader:
    """Reads the entries of one manifest, one after the other.

    Clips of one file that come in the order of their starts are read in one pass over it.

    Args:
        raw: the folder that the manifest's paths are relative to.
        entries: the manifest's videos, in the order in which they will be read.
        as_stored: take the pixels of whole video files for squares, whatever these say of their shape.
    """

    def __init__(self, raw: Path, entries: Sequence[Entry], as_stored: bool = False):
        self._raw, self._as_stored = raw, as_stored
        self._clips: dict[str, list[tuple[int, int]]] = {}
        for entry in entries:
            if clip := entry.clip:
                self._clips.setdefault(entry.file, []).append((clip.first, clip.frames))
        self._open: tuple[str, Iterator[tuple[int, np.ndarray]]] | None = None
        self._next = 0
        self._failed: dict[str, str] = {}

    def frames(self, entry: Entry, fps: float | None = None) -> Iterator[np.ndarray]:
        """Yield the frames of an entry.

        Args:
            entry: one of the manifest's videos.
            fps: resample a video file to this rate; clips and images are never resampled.

        Yields:
            uint8 RGB [H, W, 3]; images of one folder may differ in size.

        Raises:
            UserError: a damaged file, or a clip that is more than a frame shorter than it should be.
        """
        path = self._raw / entry.file
        if entry.clip:
            yield from self._clip(entry, entry.clip, path)
        elif path.is_dir() or is_image(entry.file) or entry.inside is not None:
            yield from _images(path, entry)
        else:
            yield from read_frames(path, fps, self._as_stored)

    def _clip(self, entry: Entry, span: Span, path: Path) -> Iterator[np.ndarray]:
        first, wanted = span.first, span.frames
        if entry.file in self._failed:
            raise UserError(self._failed[entry.file], file=path)
        if self._open is None or self._open[0] != entry.file or first < self._next:
            later = [clip for clip in self._clips[entry.file] if clip[0] >= first]
            self._open = entry.file, read_selected(path, entry.fps, later)
            self._next = 0
        count = 0
        while count < wanted:
            try:
                number, frame = next(self._open[1], (-1, None))
            except UserError as error:
                self._failed[entry.file] = error.said
                raise
            if frame is None:
                self._open = None
                break
            self._next = number + 1
            if number >= first:
                count += 1
                yield frame
        if count < wanted - CLIP_TOLERANCE:
            raise UserError(f"the video ends after {count} of the clip's {wanted} frames", file=path)


def _images(path: Path, entry: Entry) -> Iterator[np.ndarray]:
    for name, data in encoded_images(path, entry.inside):
        try:
            yield decode_image(data)
        except ValueError as error:
            raise UserError(f"{name}: {error}", file=path) from None


def encoded_images(path: Path, inside: str | None = None) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of every image of a video, in order.

    Args:
        path: one image, a folder of images (not below it), or a zip.
        inside: folder or image inside the zip; None where there is none.

    Raises:
        UserError: a zip, or a member of it, that is damaged, or an image that cannot be read.
    """
    if inside is None:
        images = filter(lambda file: is_image(file.name), path.iterdir()) if path.is_dir() else [path]
        for image in sorted(images, key=natural_order):
            try:
                yield image.name, image.read_bytes()
            except OSError as error:
                raise UserError(f"{image.name}: cannot be read ({error.strerror})", file=path) from None
        return
    archive = open_zip(path.resolve())
    folder, _, name = ("", "", inside) if "/" not in inside else inside.rpartition("/")
    members = archive.folders.get(inside) or [i for i in archive.folders.get(folder, []) if i.filename == inside]
    for info in members:
        try:
            yield info.filename.rpartition("/")[2], archive.read(info)
        except ValueError as error:
            raise UserError(f"{info.filename}: {error}", file=path) from None
