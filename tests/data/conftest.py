"""Small videos for the tests of this folder."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from styleinv.data.video import executable, write_video


def picture(number: int, height: int, width: int) -> np.ndarray:
    """A smooth colour image that moves with `number`."""
    y, x = np.mgrid[0:height, 0:width]
    red, green, blue = (x * 3 + number * 5) % 256, (y * 3) % 256, np.full_like(x, number * 9 % 256)
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def pictures(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    return [picture(number, height, width) for number in range(count)]


def run_ffmpeg(*arguments: object) -> None:
    subprocess.run([executable(), "-nostdin", "-v", "error", "-y", *map(str, arguments)], check=True)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 frames of 64 x 48 at 25 per second, its index in front (faststart)."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_video(path, pictures(20), 25)
    return path
