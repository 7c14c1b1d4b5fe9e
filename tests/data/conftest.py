"""Small videos for the tests of this folder."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from styleinv.data.synthetic import make_talking_faces
from styleinv.data.video import executable, write_video
from tests.data.server import Server, serving


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


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`original/` and `mask/` of eight synthetic faces, 12 frames of 64 x 64 at 30 per second."""
    folder = tmp_path_factory.mktemp("faces")
    make_talking_faces(folder, 8, 12, 64, 30, seed=5, drawing="plain")
    return folder
