"""C12: batches of clips from a frame store, against Pillow on single files that makes floats, as published."""

import io
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
import torch
from PIL import Image

from benchmarks.rows import at_least, row
from benchmarks.timing import seconds
from styleinv.data.sampling import Clips
from styleinv.data.store import FrameStore, encode, write_store

VIDEOS, FRAMES, SIZE, BATCH, ROUNDS = 16, 8, 256, 8, 15
OFFSETS = np.array([0, 2, 3, 7])
# Blur of the pictures -> kilobytes of a frame at JPEG quality 95.
BLURS = {1.2: 82, 4: 35, 8: 18}


def picture(number: int, blur: float) -> np.ndarray:
    """Blurred noise: the less it is blurred, the more bytes it takes."""
    noise = np.random.default_rng(number).integers(0, 256, (SIZE, SIZE, 3)).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), blur)
    return np.clip((blurred - 128) * min(2.5 * blur, 8) + 128, 0, 255).astype(np.uint8)


@row(
    "C12",
    "8 clips of 4 frames of 256² from the frame store, against Pillow on single files, floats",
    *(at_least(f"frames of {size} kB", 3.2, 4) for size in BLURS.values()),
    *(at_least(f"share of the speed of bare decoding, {size} kB") for size in BLURS.values()),
    at_least("frames of 35 kB", unit="frames/s"),
    reason="Decoding with Pillow's pixels is itself only 1.9 to 2.7 times Pillow's loader here; what decodes faster has"
    " other pixels.",
)
def clips() -> list[float]:
    """Measure with frames of three sizes, whose pixels equal Pillow's."""
    ratios, shares, rates = zip(*(_compare(blur) for blur in BLURS), strict=True)
    return [*ratios, *shares, rates[1]]


def _compare(blur: float) -> tuple[float, float, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames = [picture(number, blur) for number in range(FRAMES)]
        write_store(folder / "frames.zip", ((f"{v:02d}", frames) for v in range(VIDEOS)), {"fps": 25.0}, "jpeg95")
        stored = [encode(frame, "jpeg95") for frame in frames]
        files = [folder / f"{number}.jpg" for number in range(FRAMES)]
        for file, data in zip(files, stored, strict=True):
            file.write_bytes(data)
        source = Clips(FrameStore(folder / "frames.zip"), 0, False, FRAMES, FRAMES, lambda rng, length: OFFSETS)
        out, step = np.empty((SIZE, SIZE, 3), np.uint8), iter(range(10**9))

        def pillow() -> torch.Tensor:
            clip = [np.asarray(Image.open(files[number])).transpose(2, 0, 1) for number in OFFSETS]
            return torch.from_numpy(np.stack(clip).astype(np.float32) / 127.5 - 1)

        def decoding() -> None:
            for number in OFFSETS.tolist() * BATCH:
                simplejpeg.decode_jpeg(stored[number], colorspace="RGB", buffer=out)

        want = np.stack([np.asarray(Image.open(io.BytesIO(stored[number]))) for number in OFFSETS])
        assert np.array_equal(source.batch(0, 1)[0][0].permute(0, 2, 3, 1).numpy(), want)
        calls: tuple[Callable[[], object], ...] = (
            lambda: torch.stack([pillow() for _ in range(BATCH)]),
            lambda: source.batch(next(step), BATCH),
            decoding,
        )
        theirs, ours, floor = np.array([[seconds(call) for call in calls] for _ in range(ROUNDS)])[2:].T
    rate = BATCH * len(OFFSETS) / statistics.median(ours)
    return statistics.median(theirs / ours), statistics.median(floor / ours), rate
