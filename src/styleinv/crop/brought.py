"""Landmarks and boxes that other detectors have found: one .npz file for each video."""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from styleinv.crop import ffhq
from styleinv.errors import UserError, cannot_read

SMALLEST = 4.0  # pixels; what is smaller is no face but a share of the image, or zeros where nothing was found
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_landmarks(path: Path, frames: int, size: tuple[int, int]) -> np.ndarray:
    """Read the landmarks of a video: `landmarks` [frames, 68, 2] of an .npz file, in pixels of the frame.

    Args:
        path: the file.
        frames: how many the video has, as it is stored.
        size: height and width of a frame as a viewer sees it.

    Returns:
        float64 [frames, 4, 2], the anchors of `ffhq.anchors`, nan in frames without a face.

    Raises:
        UserError: no such file, another shape, or numbers that cannot be pixels of a face.
    """
    anchors = ffhq.anchors(_read(path, "landmarks", (frames, 68, 2)))
    anchors[np.isnan(anchors).any((1, 2))] = np.nan
    _require_near(path, "landmarks", anchors, size)
    with np.errstate(invalid="ignore"):
        _require_size(path, "landmarks", ffhq.sides(ffhq.square(anchors)), ~np.isnan(anchors[:, 0, 0]))
    return anchors


def read_boxes(path: Path, frames: int, size: tuple[int, int]) -> np.ndarray:
    """Read the boxes of a video: `boxes` [frames, 4] of an .npz file; arguments as for `read_landmarks`.

    Returns:
        float64 [frames, 4], (left, top, right, bottom) as in `faces`, nan in frames without a face.

    Raises:
        UserError: as `read_landmarks`.
    """
    boxes = _read(path, "boxes", (frames, 4))
    boxes[np.isnan(boxes).any(1)] = np.nan
    _require_near(path, "boxes", boxes.reshape(-1, 2, 2), size)
    _require_size(path, "boxes", (boxes[:, 2:] - boxes[:, :2]).min(1), ~np.isnan(boxes[:, 0]))
    return boxes


def read_array(path: Path, key: str, check: Callable[[tuple[int, ...]], None]) -> np.ndarray:
    """Read one array of numbers from an .npz file, without pickles.

    Args:
        path: the file.
        key: name of the array.
        check: raises UserError for a wrong shape, before anything of that size is in memory.

    Returns:
        float64 of that shape.

    Raises:
        UserError: no such file, no whole one, or no numbers in it.
    """
    cure = f"Write it by np.savez(FILE, {key}=ARRAY)."
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            if key not in names:
                raise UserError(f"holds {', '.join(names) or 'nothing'} but no {key}", file=path, cure=cure)
            with archive.open(f"{key}.npy") as member:
                shape, _, kind = _HEADERS[np.lib.format.read_magic(member)](member)
        if kind.kind not in "fiu":
            raise UserError(f"holds {kind}, not numbers", file=path, field=key, cure="Write them as float32.")
        check(shape)
        with np.load(path, allow_pickle=False) as file:
            return np.array(file[key], np.float64)
    except FileNotFoundError:
        raise UserError("does not exist", file=path, cure="docs/cropping.md says how to write it.") from None
    except (PermissionError, IsADirectoryError) as error:
        raise cannot_read(path, error) from None
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"is no whole .npz file ({error})", file=path, cure=cure) from None


def _read(path: Path, key: str, wanted: tuple[int, ...]) -> np.ndarray:
    def check(shape: tuple[int, ...]) -> None:
        if shape != wanted:
            what = f"is {list(shape)}, but {list(wanted)} is needed: the video has {wanted[0]} frames"
            raise UserError(what, file=path, field=key, cure="Write a row for each frame, nan where there is no face.")

    return read_array(path, key, check)


def _require_near(path: Path, key: str, points: np.ndarray, size: tuple[int, int]) -> None:
    """Refuse points [T, P, 2] farther from the image than its own width or height, and a file without a face."""
    if np.isnan(points).all():
        raise UserError("has a face in no frame: all are nan", file=path, field=key, cure="Leave the video out.")
    extent = np.array(size[::-1])
    with np.errstate(invalid="ignore"):
        far = ((points < -extent) | (points > 2 * extent)).any((1, 2))
    if far.any():
        what = f"frame {far.argmax()} is far outside of the image of {size[1]} x {size[0]}"
        cure = "Give pixels of the frame as a viewer sees it, and nan where there is no face."
        raise UserError(what, file=path, field=key, cure=cure)


def _require_size(path: Path, key: str, sides: np.ndarray, known: np.ndarray) -> None:
    small = known & ~(sides >= SMALLEST)
    if small.any():
        what = f"frame {small.argmax()} has no face of {SMALLEST:g} pixels or more"
        raise UserError(what, file=path, field=key, cure="Give pixels, not shares; write nan where there is no face.")


READERS = {"landmarks": read_landmarks, "boxes": read_boxes}
