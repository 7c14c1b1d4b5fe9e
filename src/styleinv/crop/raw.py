"""Raw videos as the crops read them: their rate, their faults, and which of their frames were stored."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from styleinv.data.frame_reader import FrameReader
from styleinv.data.manifest import Entry
from styleinv.data.video import read_frames
from styleinv.errors import UserError


class BadVideo(UserError):
    """Raised where a video cannot be used; the message is the reason, which the census keeps."""


def source_frames(reader: FrameReader, video: Entry, fps: float | None) -> Iterator[np.ndarray]:
    """Yield the frames of a video, uint8 RGB [H, W, 3].

    Raises:
        BadVideo: it is missing, cut or corrupt.
    """
    try:
        yield from reader.frames(video, fps)
    except UserError as error:
        raise BadVideo(error.said) from None


def mask_frames(path: Path, fps: float | None, as_stored: bool) -> Iterator[np.ndarray]:
    """Yield the frames of a video's mask, uint8 RGB [H, W, 3].

    Raises:
        BadVideo: it is missing, cut or corrupt.
    """
    try:
        yield from read_frames(path, fps, as_stored)
    except UserError as error:
        raise BadVideo(f"its mask {error.said}") from None


def by(shape: Sequence[int]) -> str:
    """Write the shape [H, W, ...] of a frame as `width x height`."""
    return f"{shape[1]} x {shape[0]}"


def runs(kept: list[int]) -> tuple[tuple[int, int], ...]:
    """Group ascending numbers into (first, length) of consecutive ones."""
    found: list[list[int]] = []
    for index in kept:
        if found and index == sum(found[-1]):
            found[-1][1] += 1
        else:
            found.append([index, 1])
    return tuple((first, length) for first, length in found)
