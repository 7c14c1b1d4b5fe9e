"""Sample grids, clips and models of a run in training."""

from pathlib import Path

import numpy as np
from PIL import Image

from styleinv.data.video import write_video
from styleinv.files import atomic
from styleinv.generator import synthetic
from styleinv.training.checkpoint import save_model
from styleinv.training.method import Method


def tile(images: np.ndarray) -> np.ndarray:
    """Tile images uint8 [rows, columns, H, W, 3] into one picture [rows * H, columns * W, 3]."""
    rows, columns, h, w, c = images.shape
    return images.transpose(0, 2, 1, 3, 4).reshape(rows * h, columns * w, c)


def save_samples(method: Method, folder: Path, stem: str) -> None:
    """Write `<stem>.png`, and `<stem>.mp4` for methods that make videos."""
    with atomic(folder / f"{stem}.png") as temporary:
        Image.fromarray(tile(method.sample_images())).save(temporary)
    clips = method.sample_clips()
    if clips is not None:
        videos, fps = clips
        columns = int(np.ceil(np.sqrt(len(videos))))
        missing = -len(videos) % columns
        videos = np.concatenate([videos, np.zeros_like(videos[:1]).repeat(missing, axis=0)]) if missing else videos
        frames = videos.reshape(-1, columns, *videos.shape[1:])
        film = (tile(frames[:, :, t]) for t in range(videos.shape[1]))
        write_video(folder / f"{stem}.mp4", film, fps, comment=synthetic("a training of styleinv"))


def save_model_snapshot(method: Method, folder: Path, step: int, images_per_step: int) -> None:
    """Write `snapshots/step<step>.safetensors`: a model like the finished one, with `step` and `kimg` in its header."""
    when = {"step": step, "kimg": step * images_per_step / 1000}
    path = folder / "snapshots" / f"step{step:08d}.safetensors"
    save_model(path, method.parts.modules, method.description() | when)


def model_snapshots(folder: Path) -> list[Path]:
    """List the models that a run has kept along its training, oldest first."""
    return sorted((folder / "snapshots").glob("step*.safetensors"))


def drop_models(folder: Path) -> None:
    """Remove the models of an earlier training in the same folder."""
    for path in model_snapshots(folder):
        path.unlink()
