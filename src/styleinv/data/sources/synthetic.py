"""The built-in talking faces."""

from typing import Any

from pydantic import Field

from styleinv.data.check import VideoFacts
from styleinv.data.intake import accounted, entry_of
from styleinv.data.manifest import Manifest
from styleinv.data.source import Job, Probe, SourceConfig
from styleinv.data.synthetic import Drawing, make_talking_faces, person_of
from styleinv.files import sha256


class Config(SourceConfig):
    """The built-in talking faces."""

    videos: int = Field(ge=1)
    identities: int | None = Field(None, ge=1)
    drawing: Drawing = "detailed"
    frames: int = Field(ge=1)
    size: int = Field(ge=32)
    seed: int = Field(0, ge=0)


def fetch(source: Config, job: Job) -> Manifest:
    """Make the videos; each entry also names its exact landmarks."""
    settings: dict[str, Any] = {"videos": source.videos, "frames": source.frames, "size": source.size, "fps": job.fps}
    settings |= {"seed": source.seed, "identities": source.identities, "drawing": source.drawing}
    entries = []
    for number, name in enumerate(make_talking_faces(job.raw, **settings)):
        file = f"original/{name}.mp4"
        facts = VideoFacts(
            job.raw / file, sha256(job.raw / file), source.size, source.size, float(job.fps), source.frames
        )
        more = {"mask": f"mask/{name}.mp4", "landmarks": f"landmarks/{name}.npz"}
        more |= {"person": str(person_of(number, source.videos, source.identities))}
        entries.append(entry_of(name, file, facts, **more))
    return accounted({"kind": "synthetic", **settings, "masks": True}, entries, [], job.raw)


def probe(source: Config, job: Job) -> Probe:
    """Report that it is always there."""
    return Probe(True, "made here")
