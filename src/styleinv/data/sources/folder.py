"""A user's own folder of videos."""

from styleinv.data.fetch import Manifest, fetch_folder
from styleinv.data.source import Job, Probe, SourceConfig
from styleinv.files import expand


class Config(SourceConfig):
    """A folder of video files, or one with `original/` and `mask/` sub-folders."""

    path: str


def fetch(source: Config, job: Job) -> Manifest:
    """Take the folder in."""
    return fetch_folder(expand(source.path), job.raw, job.min_frames, job.on_bad_video)


def probe(source: Config, job: Job) -> Probe:
    """Whether the folder is there."""
    place = expand(source.path)
    return Probe(place.is_dir(), f"{place} is {'there' if place.is_dir() else 'not a folder'}")
