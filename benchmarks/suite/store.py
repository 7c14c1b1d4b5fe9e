"""C13: the index of a frame store, and frames that were decoded before."""

import json
import struct
import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.rows import at_least, at_most, row
from benchmarks.suite.loader import BATCH, FRAMES, OFFSETS, picture
from benchmarks.timing import median_seconds, ratio
from styleinv.data.raw_cache import use_raw
from styleinv.data.sampling import Clips
from styleinv.data.store import FrameStore, write_store
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
    "opening a frame store of 1.17 million frames (SkyTimelapse's number), against record by record; decoded frames",
    at_most("time to open", 100, 20, "ms"),
    at_least("against record by record"),
    at_least("clips of 4 frames of 256², decoded before", 50_000, 80_000, "frames/s"),
    at_least("against decoding frames of 35 kB"),
    reason="Decoded frames come from memory that no cache holds and go into new memory, 0.2 MB each; out of a cache"
    " the same loader gives 2.5 times as many. The draws of each clip take the next largest share.",
)
def opening() -> list[float]:
    """Measure a store of tiny frames, whose names and places are what they are of large ones; then raw_cache."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frames.zip"
        make(path)
        assert np.array_equal(FrameStore(path)._headers, textbook(path))
        opened = [
            1000 * median_seconds(lambda: FrameStore(path), 5),
            ratio(lambda: textbook(path), lambda: FrameStore(path), 3),
        ]
    return [*opened, *_decoded_before()]


def _decoded_before() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames = [picture(number, 4) for number in range(FRAMES)]
        write_store(folder / "frames.zip", ((f"{v:02d}", frames) for v in range(64)), {"fps": 25.0}, "jpeg95")
        stores = [FrameStore(folder / "frames.zip") for _ in range(2)]
        use_raw(stores[0], folder / "raw")
        raw, decoding = (Clips(store, 0, True, FRAMES, FRAMES, lambda rng, length: OFFSETS) for store in stores)
        for step in range(8):
            assert torch.equal(raw.batch(step, BATCH)[0], decoding.batch(step, BATCH)[0])
        steps = iter(range(10**9))
        rate = BATCH * len(OFFSETS) / median_seconds(lambda: raw.batch(next(steps), BATCH), 99)
        return rate, ratio(lambda: decoding.batch(0, BATCH), lambda: raw.batch(0, BATCH), 15)
