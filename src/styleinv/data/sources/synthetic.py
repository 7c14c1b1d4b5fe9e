"""The built-in talking faces."""

from typing import Literal

from pydantic import Field

from styleinv.data.fetch import Manifest, fetch_synthetic
from styleinv.data.source import Job, Probe, SourceConfig


class Config(SourceConfig):
    """The built-in talking faces."""

    videos: int = Field(ge=1)
    identities: int | None = Field(None, ge=1)
    drawing: Literal["detailed", "plain"] = "detailed"
    frames: int = Field(ge=1)
    size: int = Field(ge=32)
    seed: int = Field(0, ge=0)


def fetch(source: Config, job: Job) -> Manifest:
    """Make the videos."""
    return fetch_synthetic(
        job.raw,
        videos=source.videos,
        frames=source.frames,
        size=source.size,
        fps=job.fps,
        seed=source.seed,
        identities=source.identities,
        drawing=source.drawing,
    )


def probe(source: Config, job: Job) -> Probe:
    """It is always there."""
    return Probe(True, "made here")
