"""The built-in talking faces."""

from styleinv.config import SyntheticSource
from styleinv.data.fetch import Manifest, fetch_synthetic
from styleinv.data.sources.job import Job, Probe


def fetch(source: SyntheticSource, job: Job) -> Manifest:
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


def probe(source: SyntheticSource, job: Job) -> Probe:
    """It is always there."""
    return Probe(True, "made here")
