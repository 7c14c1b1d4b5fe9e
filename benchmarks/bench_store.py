"""Opening a frame store of 1.17 million frames (SkyTimelapse's number), as a ratio to a textbook reader.

    python benchmarks/bench_store.py

The textbook reader walks from record to record and looks every frame's name up in a table. Medians of interleaved
pairs, CPU time.
"""

import json
import statistics
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from styleinv.data.store import FrameStore
from styleinv.data.stored_zip import StoredZipWriter

VIDEOS, EACH, PAIRS = 2_600, 450, 5


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


def timed(call: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def main() -> None:
    """Print the ratio and the milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frames.zip"
        make(path)
        assert np.array_equal(FrameStore(path)._headers, textbook(path))
        pairs = [(timed(lambda: textbook(path)), timed(lambda: FrameStore(path))) for _ in range(PAIRS)]
    ratio = statistics.median(old / new for old, new in pairs)
    ours = statistics.median(new for _, new in pairs)
    print(f"opening {VIDEOS * EACH:,} frames: {1000 * ours:.0f} ms, {ratio:.1f} times as fast as record by record")


if __name__ == "__main__":
    main()
