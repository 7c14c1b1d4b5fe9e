"""A user's own folder of videos."""

from styleinv.config import FolderSource
from styleinv.data.fetch import Manifest, fetch_folder
from styleinv.data.sources.job import Job, Probe
from styleinv.files import expand


def fetch(source: FolderSource, job: Job) -> Manifest:
    """Take the folder in."""
    return fetch_folder(expand(source.path), job.raw, job.min_frames, job.on_bad_video)


def probe(source: FolderSource, job: Job) -> Probe:
    """Whether the folder is there."""
    place = expand(source.path)
    return Probe(place.is_dir(), f"{place} is {'there' if place.is_dir() else 'not a folder'}")
