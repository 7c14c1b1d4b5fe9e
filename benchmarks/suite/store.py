"""C13: the index of a frame store."""

import json
import struct
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.rows import at_least, at_most, row
from benchmarks.timing import median_seconds, ratio
from styleinv.data.store import FrameStore
from styleinv.data.stored_zip import StoredZipWriter

VIDEOS, EACH = 2_600, 450


def make(path: Path) -> None:
    """Write a store of frames of a few bytes, with names of eight different lengths."""
    names = [f"{video:05d}{'x' * (video % 8)}" for video in range(VIDEOS)]
    table = {"labels": None, "fps": 25, "resolution": 8, "codec": "jpeg95", "videos": dict.fromkeys(names, EACH)}
    with open(path, "wb") as file:
        writer = StoredZipWriter(file)
        for name in names:
            for frame in range(EACH):
                writer.add(f"{name}/{frame:06d}.jpg", b"%d" % frame)
        writer.add("dataset.json", json.dumps(table | {"meta": {}}).encode())
        writer.finish()


def textbook(path: Path) -> np.ndarray:
    """Return where the frames lie, record by record."""
    content, record = path.read_bytes(), struct.Struct("<4s6H3I5H2I")
    count, _, at = struct.unpack_from("<3Q", content, content.rindex(b"PK\6\6") + 32)
    place = {}
    for _ in range(count):
        fields = record.unpack_from(content, at)
        start = at + record.size
        at = start + sum(fields[10:13])
        place[content[start : start + fields[10]].decode()] = fields[16]
    header = place["dataset.json"]
    size, length = struct.unpack_from("<I", content, header + 22)[0], len("dataset.json")
    table = json.loads(content[header + 30 + length :][:size])
    return np.array([place[f"{n}/{frame:06d}.jpg"] for n, frames in table["videos"].items() for frame in range(frames)])


@row(
    "C13",
    "opening a frame store of 1.17 million frames (SkyTimelapse's number); the peer goes record by record",
    at_most("time to open", 100, 20, "ms"),
    at_least("against record by record"),
    reason="Opening checks that every one of the 1.17 million names is what and where the table says; only a second"
    " file, which could be stale, would save that. The store has no raw cache.",
)
def opening() -> list[float]:
    """Measure a store of tiny frames, whose names and places are what they are of large ones."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frames.zip"
        make(path)
        assert np.array_equal(FrameStore(path)._headers, textbook(path))
        return [
            1000 * median_seconds(lambda: FrameStore(path), 5),
            ratio(lambda: textbook(path), lambda: FrameStore(path), 3),
        ]
