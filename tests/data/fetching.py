"""Raw videos in a temporary folder, as `styleinv fetch` leaves them."""

from pathlib import Path

from styleinv.data.manifest import Manifest
from styleinv.data.source import Job
from styleinv.data.sources import folder, synthetic


def fetch_folder(source: Path, out: Path, min_frames: int = 1, on_bad_video: str = "error") -> Manifest:
    return folder.take_folder(source, Job(out, out / "lock.json", min_frames=min_frames, on_bad_video=on_bad_video))


def fetch_synthetic(out: Path, fps: float = 25, **settings) -> Manifest:
    return synthetic.fetch(synthetic.Config(type="synthetic", **settings), Job(out, out / "lock.json", fps))


def changed(manifest: Manifest, *videos: dict) -> Manifest:
    """A manifest with its first videos changed, and without those for which there is no change."""
    new = (video.model_copy(update=update) for video, update in zip(manifest.videos, videos, strict=False))
    return manifest.model_copy(update={"videos": tuple(new)})
