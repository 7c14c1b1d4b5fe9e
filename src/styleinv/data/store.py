"""The frame store: one data set is one uncompressed zip of JPEG or PNG frames.

    <video>/000000.jpg  consecutive from 0
    dataset.json        {"labels": null, "fps", "resolution", "codec", "videos": {name: frames}, "meta": {}}

The bytes depend on nothing but frames, names and meta: no time, host or user enters. Reading is a slice of a memory map
per frame, decoded straight into the result (some 3 000 frames of 256 x 256 per second and core).
"""

import contextlib
import functools
import json
import mmap
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg

from styleinv import files
from styleinv.data.settings import Codec
from styleinv.data.stored_zip import (
    Index,
    Places,
    StoredZipWriter,
    last_member,
    member,
    numbered_members,
    read_index,
)
from styleinv.errors import UserError

# OpenCV's encoder gives Pillow's bytes; simplejpeg's (a fast DCT) differs by up to 11 levels.
_ENCODER: dict[str, list[int]] = {
    "jpeg75": [cv2.IMWRITE_JPEG_QUALITY, 75, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420],
    "jpeg95": [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444],
    "png": [cv2.IMWRITE_PNG_COMPRESSION, 4],
}
_TABLE = "dataset.json"
_AGAIN = "Copy the store again or make it again (styleinv crop)."


def order(name: str) -> str:
    """Sort key of video names: the order of their files' paths, as other tools sort them ("b-1" before "b")."""
    return name + "/"


def write_store(
    path: str | Path, videos: Iterable[tuple[str, Iterable[np.ndarray]]], meta: dict[str, Any], codec: Codec
) -> None:
    """Write a whole frame store; see `StoreWriter`.

    Args:
        path: the zip to write.
        videos: (name, frames) in ascending `order`.
        meta: goes into `dataset.json`; must hold `fps`.
        codec: of the frames.
    """
    with new_store(path, codec) as store:
        for name, frames in videos:
            store.add(name, frames)
        store.finish(meta)


@contextlib.contextmanager
def new_store(path: str | Path, codec: Codec) -> Iterator["StoreWriter"]:
    """Open a frame store for writing. It gets its name when the block ends, and disappears where it fails.

    Args:
        path: the zip to write.
        codec: jpeg75, jpeg95 or png (see `settings.FrameSettings`).

    Raises:
        UserError: an unknown codec.
    """
    if codec not in _ENCODER:
        raise UserError(f"unknown codec {codec!r}", file=path, cure="Use jpeg75, jpeg95 or png.")
    with files.atomic(path) as temporary, open(temporary, "wb") as file:
        yield StoreWriter(path, StoredZipWriter(file), codec)


class StoreWriter:
    """Writes a frame store video by video; memory does not grow with the number of frames."""

    def __init__(self, path: str | Path, archive: StoredZipWriter, codec: Codec):
        self._path, self._archive, self._codec = path, archive, codec
        self._suffix = "png" if codec == "png" else "jpg"
        self._lengths: dict[str, int] = {}
        self._resolution = 0
        self._last = ""

    def add(self, name: str, frames: Iterable[np.ndarray]) -> None:
        """Add a video. Where its frames raise an exception, nothing of it stays, and others can follow.

        Args:
            name: ascending in `order`.
            frames: uint8 RGB [R, R, 3], those of all videos alike.

        Raises:
            UserError: no frames, a bad or unsorted name, or frames of another size or type.
        """
        _check_name(name, self._path)
        if self._last and order(name) <= order(self._last):
            what = f"videos must come sorted and once each: {name!r} after {self._last!r}"
            raise UserError(what, file=self._path)
        self._last = name
        mark = self._archive.mark()
        count = 0
        try:
            for frame in frames:
                self._resolution = _check_frame(frame, self._resolution, self._path, f"{name}, frame {count}")
                self._archive.add(f"{name}/{count:06d}.{self._suffix}", encode(frame, self._codec))
                count += 1
        except Exception:
            self._archive.rollback(mark)
            raise
        if not count:
            raise UserError("has no frames", file=self._path, field=name, cure="Run the crop stage again.")
        self._lengths[name] = count

    def finish(self, meta: dict[str, Any]) -> None:
        """Write `dataset.json`, after which no video can follow.

        Args:
            meta: goes into it; must hold `fps`.

        Raises:
            UserError: no video, or no `fps`.
        """
        if not self._lengths:
            raise UserError(
                "there is no video to store",
                file=self._path,
                cure="See the census for why none was kept, or lower min_frames.",
            )
        fps = meta.get("fps")
        if not isinstance(fps, int | float) or fps <= 0:
            raise UserError(f"meta must give a positive frame rate, not {fps!r}", file=self._path, field="fps")
        table: dict[str, Any] = {"labels": None, "fps": fps, "resolution": self._resolution, "codec": self._codec}
        table |= {"videos": self._lengths, "meta": meta}
        self._archive.add(_TABLE, (json.dumps(table, indent=1, ensure_ascii=False) + "\n").encode("utf-8"))
        self._archive.finish()


def encode(frame: np.ndarray, codec: Codec) -> bytes:
    """Encode a uint8 RGB [H, W, 3] frame as JPEG or PNG bytes."""
    suffix = ".png" if codec == "png" else ".jpg"
    done, data = cv2.imencode(suffix, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), _ENCODER[codec])
    assert done
    return data.tobytes()


def decode(data: bytes | memoryview, out: np.ndarray) -> None:
    """Decode JPEG or PNG bytes into `out`, a contiguous uint8 RGB [H, W, 3] of the image's own size.

    Raises:
        ValueError: the bytes are damaged, or the image has another size.
    """
    if bytes(data[:2]) == b"\xff\xd8":
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        if (height, width) != out.shape[:2]:
            raise ValueError(f"is {width} x {height}, not {out.shape[1]} x {out.shape[0]}")
        simplejpeg.decode_jpeg(data, colorspace="RGB", buffer=out)
        return
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if len(data) else None
    if image is None:
        raise ValueError("cannot be decoded")
    if image.shape != out.shape:
        raise ValueError(f"is {image.shape[1]} x {image.shape[0]}, not {out.shape[1]} x {out.shape[0]}")
    cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=out)


class FrameStore:
    """Random access to a frame store. Safe to share between threads, forked and pickled processes.

    Args:
        path: the zip.
        hashes: where the file's hash is kept; without it the whole file is read when it is asked for.

    Attributes:
        path: the zip.
        names: videos, in `order`.
        lengths: int64 [videos], frames of each.
        resolution: height and width in pixels.
        fps: frames per second.
        codec: how the frames are compressed.
        meta: what `write_store` was given.

    Raises:
        UserError: the file is missing, not a zip, cut, compressed, or not a frame store.
    """

    def __init__(self, path: str | Path, hashes: files.Hashes | None = None):
        self.path = Path(path)
        self._hashes = hashes
        self._raw: np.ndarray | None = None
        self._size = self._map()
        # An archive as `StoredZipWriter` writes it is only checked to be that; another one is searched.
        frames = None
        if place := last_member(self._content, self.path, _TABLE):
            self._adopt(self._read_table(*place))
            frames = numbered_members(self._content, self.path, self.names, self.lengths, self._suffix)
        if frames is None:
            index = read_index(self._content, self.path)
            if (entry := index.find(_TABLE)) is None:
                cure = "This is not a frame store: make one."
                raise UserError("is missing", file=self.path, field=_TABLE, cure=cure)
            self._adopt(self._read_table(int(index.headers[entry]), int(index.sizes[entry])))
            frames = self._found(index)
        self._headers, self._sizes, self._crcs = frames

    def _adopt(self, table: dict[str, Any]) -> None:
        """Take the attributes from the table."""
        try:
            videos, self.resolution, self.fps = table["videos"], int(table["resolution"]), float(table["fps"])
            self.codec: str = table["codec"]
            self.storage = f"frame store, {self.codec}"
            self.meta: dict[str, Any] = table["meta"]
            self.names: list[str] = list(videos)
            self.lengths = np.array([int(videos[name]) for name in self.names], np.int64)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(f"lacks or garbles {error}", file=self.path, field=_TABLE, cure=_AGAIN) from None
        self._suffix = ".png" if self.codec == "png" else ".jpg"
        self._first = np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int64)

    def __len__(self) -> int:
        """Number of videos."""
        return len(self.names)

    @property
    def num_frames(self) -> int:
        """Frames of all videos together."""
        return int(self._first[-1])

    def frames(self, video: int, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Decode frames of one video.

        Args:
            video: 0 to len - 1.
            indices: frame numbers, 0 to lengths[video] - 1, in any order, repeats allowed.

        Returns:
            uint8 RGB [T, R, R, 3].

        Raises:
            IndexError: no such video or frame.
            UserError: a stored frame is damaged or has another size.
        """
        out = np.empty((len(indices), self.resolution, self.resolution, 3), np.uint8)
        for place, index in zip(out, indices, strict=True):
            entry = self._entry(video, index)
            if self._raw is not None:
                cv2.merge(list(self._raw[entry]), dst=place)
                continue
            data = member(self._content, int(self._headers[entry]), int(self._sizes[entry]), self.path)
            try:
                decode(data, place)
            except ValueError as error:
                where = f"{self.names[video]}, frame {index}"
                raise UserError(str(error), file=self.path, field=where, cure=_AGAIN) from None
        return out

    def planes(self, video: int, indices: Sequence[int] | np.ndarray, mirrored: bool, out: np.ndarray) -> None:
        """Decode frames of one video into colour planes, as networks take them.

        Args:
            video, indices: as for `frames`.
            mirrored: left and right are exchanged.
            out: contiguous uint8 [T, 3, R, R], is filled.

        Raises:
            IndexError, UserError: as for `frames`.
        """
        if self._raw is None:
            for frame, place in zip(self.frames(video, indices), out, strict=True):
                # OpenCV separates the channels ten times faster than a transposing copy does.
                cv2.split(cv2.flip(frame, 1) if mirrored else frame, list(place))
            return
        for place, index in zip(out, indices, strict=True):
            planes = self._raw[self._entry(video, index)]
            if mirrored:  # all rows of the three planes at once
                cv2.flip(planes.reshape(-1, self.resolution), 1, dst=place.reshape(-1, self.resolution))
            else:
                place[...] = planes

    def read_raw(self, path: Path) -> None:
        """Read the frames from a file of all of them, decoded, uint8 [frames, 3, R, R] (see `raw_cache`), from now on.

        Raises:
            UserError: it is no such file.
        """
        cure = "Delete it: it is made anew."
        try:
            raw = np.load(path, mmap_mode="r")
        except (ValueError, EOFError) as error:
            raise UserError(f"is damaged ({error})", file=path, cure=cure) from None
        if raw.dtype != np.uint8 or raw.shape != (self.num_frames, 3, self.resolution, self.resolution):
            raise UserError(f"holds {raw.dtype} {list(raw.shape)}", file=path, cure=cure)
        self._raw_path, self._raw = path, raw

    def _entry(self, video: int, index: int) -> int:
        """Return the number of a frame among all frames.

        Raises:
            IndexError: there is none.
        """
        if not 0 <= video < len(self.names):
            raise IndexError(f"video {video} of {len(self.names)}")
        if not 0 <= index < self.lengths[video]:
            raise IndexError(f"frame {index} of {self.lengths[video]} in video {video}")
        return int(self._first[video]) + int(index)

    @functools.cached_property
    def sha256(self) -> str:
        """Hex SHA-256 of the file: the identity of the data set in every record."""
        return self._hashes.of(self.path) if self._hashes else files.sha256(self.path)

    def verify(self) -> None:
        """Check every stored frame against its CRC-32; the first damaged one is a `UserError`."""
        for video, name in enumerate(self.names):
            for entry in range(self._first[video], self._first[video + 1]):
                data = member(self._content, int(self._headers[entry]), int(self._sizes[entry]), self.path)
                if zlib.crc32(data) != self._crcs[entry]:
                    where = f"{name}, frame {entry - self._first[video]}"
                    raise UserError("is damaged", file=self.path, field=where, cure=_AGAIN)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("_content", "_raw")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._raw = None
        if path := state.get("_raw_path"):
            self.read_raw(path)
        if self._map() != self._size:
            raise UserError("has changed while it was in use", file=self.path, cure="Start again.")

    def _map(self) -> int:
        """Map the file into memory and return its size."""
        try:
            with open(self.path, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size == 0:
                    raise UserError("is empty (zero bytes)", file=self.path, cure="Delete it and run its stage again.")
                self._content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except FileNotFoundError:
            raise UserError("does not exist", file=self.path, cure="Run the stage that makes it first.") from None
        except IsADirectoryError:
            raise UserError("is a folder, not a frame store", file=self.path, cure="Crop it first.") from None
        return size

    def _read_table(self, header: int, size: int) -> dict[str, Any]:
        data = member(self._content, header, size, self.path)
        try:
            table = json.loads(bytes(data))
        except ValueError as error:
            raise UserError(f"is not JSON ({error})", file=self.path, field=_TABLE, cure=_AGAIN) from None
        if not isinstance(table, dict):
            raise UserError("is not a table", file=self.path, field=_TABLE, cure=_AGAIN)
        return table

    def _found(self, index: Index) -> Places:
        """Return positions, sizes and CRCs of all frames, video by video as the table names them."""
        place = {index.name(entry): entry for entry in range(len(index))}
        entries = []
        for name, length in zip(self.names, self.lengths, strict=True):
            for frame in range(length):
                entry = place.get(f"{name}/{frame:06d}{self._suffix}")
                if entry is None:
                    raise UserError(f"frame {frame} is missing", file=self.path, field=name, cure=_AGAIN)
                entries.append(entry)
        return index.headers[entries], index.sizes[entries], index.crcs[entries]


def _check_name(name: str, path: str | Path) -> None:
    if not name or name in (".", "..") or any(part in name for part in "/\\\0\n\r"):
        raise UserError(f"{name!r} cannot name a video", file=path, cure="Use a plain file name.")


def _check_frame(frame: np.ndarray, resolution: int, path: str | Path, where: str) -> int:
    """Check one frame; returns its resolution."""
    side = frame.shape[0] if frame.ndim == 3 else 0
    if not side or frame.dtype != np.uint8 or frame.shape != (side, side, 3):
        what = f"must be a square uint8 RGB frame, not {frame.dtype} {list(frame.shape)}"
        raise UserError(what, file=path, field=where)
    if resolution and side != resolution:
        raise UserError(f"is {side} pixels wide, the others {resolution}", file=path, field=where)
    return side
