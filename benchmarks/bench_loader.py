"""Batches of clips from a frame store, as a ratio to Pillow on single files and to JPEG decoding alone.

    python benchmarks/bench_loader.py

8 clips of 4 frames of 256 x 256, pixels equal to Pillow's. The Pillow loader also makes floats, as the published ones
do. Medians of interleaved rounds, CPU time, one thread. Decoding alone is the floor: its time goes by the bytes of a
frame.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # read when NumPy loads its BLAS

import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
import torch
from PIL import Image

from styleinv.data.sampling import Clips
from styleinv.data.store import FrameStore, encode, write_store

VIDEOS, FRAMES, SIZE, ROUNDS = 16, 8, 256, 30
OFFSETS = np.array([0, 2, 3, 7])


def picture(number: int, blur: float) -> np.ndarray:
    """Blurred noise: the less it is blurred, the more bytes it takes."""
    noise = np.random.default_rng(number).integers(0, 256, (SIZE, SIZE, 3)).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), blur)
    return np.clip((blurred - 128) * min(2.5 * blur, 8) + 128, 0, 255).astype(np.uint8)


def compare(folder: Path, blur: float) -> None:
    """Print one line for frames of one kind."""
    frames = [picture(number, blur) for number in range(FRAMES)]
    write_store(folder / "frames.zip", ((f"{v:02d}", frames) for v in range(VIDEOS)), {"fps": 25.0}, "jpeg95")
    stored = [encode(frame, "jpeg95") for frame in frames]
    files = [folder / f"{number}.jpg" for number in range(FRAMES)]
    for file, data in zip(files, stored, strict=True):
        file.write_bytes(data)
    clips = Clips(FrameStore(folder / "frames.zip"), 0, False, FRAMES, FRAMES, lambda rng, length: OFFSETS)
    out, step = np.empty((SIZE, SIZE, 3), np.uint8), iter(range(10**9))

    def pillow() -> torch.Tensor:
        clip = [np.asarray(Image.open(files[number])).transpose(2, 0, 1) for number in OFFSETS]
        return torch.from_numpy(np.stack(clip).astype(np.float32) / 127.5 - 1)

    def decoding() -> None:
        for number in OFFSETS.tolist() * 8:
            simplejpeg.decode_jpeg(stored[number], colorspace="RGB", buffer=out)

    want = np.stack([np.asarray(Image.open(io.BytesIO(stored[number]))) for number in OFFSETS])
    assert np.array_equal(clips.batch(0, 1)[0][0].permute(0, 2, 3, 1).numpy(), want)
    calls: tuple[Callable[[], object], ...] = (
        lambda: torch.stack([pillow() for _ in range(8)]),
        lambda: clips.batch(next(step), 8),
        decoding,
    )
    rounds = []
    for _ in range(ROUNDS):
        marks = [time.process_time()]
        for call in calls:
            call()
            marks.append(time.process_time())
        rounds.append(np.diff(marks))
    theirs, ours, floor = np.array(rounds)[2:].T
    size = sum(map(len, stored)) / FRAMES / 1000
    print(
        f"loader, frames of {size:2.0f} kB: {32 / statistics.median(ours):5.0f} frames/s,"
        f" {statistics.median(theirs / ours):.2f} times Pillow; decoding alone"
        f" {statistics.median(theirs / floor):.2f} times, of whose speed we have {statistics.median(floor / ours):.2f}"
    )


def main() -> None:
    """Print one line for each size of frames."""
    for blur in (1.2, 4, 8):
        with tempfile.TemporaryDirectory() as folder:
            compare(Path(folder), blur)


if __name__ == "__main__":
    main()
