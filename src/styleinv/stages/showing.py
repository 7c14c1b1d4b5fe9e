"""How generated videos are shown: files of any kind, grids, a line that says what they are."""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from styleinv.data.video import write_video
from styleinv.files import atomic

MARK = "synthetic"
# Smaller pictures are enlarged before they are marked, as nobody could read the line.
LEGIBLE = 128


def enlarged(frame: np.ndarray, least: int) -> np.ndarray:
    """Repeat the pixels of a frame [H, W, 3] so often that it is at least so many wide."""
    factor = max(1, math.ceil(least / frame.shape[1]))
    return frame.repeat(factor, axis=0).repeat(factor, axis=1)


def resized(frame: np.ndarray, side: int) -> np.ndarray:
    """Bring a square frame, uint8 [R, R, 3], to another side."""
    if frame.shape[0] == side:
        return frame
    return np.asarray(Image.fromarray(frame).resize((side, side), Image.Resampling.LANCZOS))


def marked(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield frames uint8 [H, W, 3] with a line below that says what they are, enlarged where they are small."""
    line = None
    for frame in frames:
        large = enlarged(frame, LEGIBLE)
        if line is None:
            line = _line(large.shape[1])
        yield np.concatenate([large, line])


def _line(width: int) -> np.ndarray:
    """White on black, an even number of pixels high, for frames of some width."""
    height = max(16, width // 16 // 2 * 2)
    picture = Image.new("RGB", (width, height))
    font = ImageFont.load_default(size=height * 0.7)
    ImageDraw.Draw(picture).text((width / 2, height / 2), MARK, fill="white", font=font, anchor="mm")
    return np.asarray(picture)


def side_by_side(films: Sequence[Iterable[np.ndarray]]) -> Iterator[np.ndarray]:
    """Yield the frames of some films beside each other; all have one height."""
    for frames in zip(*films, strict=True):
        yield np.concatenate(frames, axis=1)


def grid(films: Sequence[Iterable[np.ndarray]]) -> Iterator[np.ndarray]:
    """Yield the frames of films of one size in a grid, row by row, wider than high; what is left over stays black."""
    columns = math.ceil(math.sqrt(len(films)))
    for frames in zip(*films, strict=True):
        blank = np.zeros_like(frames[0])
        rows = [frames[i : i + columns] for i in range(0, len(frames), columns)]
        rows[-1] = (*rows[-1], *[blank] * (columns - len(rows[-1])))
        yield np.concatenate([np.concatenate(row, axis=1) for row in rows])


def write_film(path: Path, frames: Iterable[np.ndarray], fps: float, comment: str, mark: bool = False) -> Path:
    """Write a film as the ending of its name says; a name without one is a folder of PNG frames from 000000.png on."""
    if mark:
        frames = marked(frames)
    if path.suffix:
        write_video(path, frames, fps, comment=comment)
        return path
    path.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames):
        with atomic(path / f"{number:06d}.png") as temporary:
            Image.fromarray(frame).save(temporary)
    return path
