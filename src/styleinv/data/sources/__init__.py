"""Where data sets come from: one file for each kind of source, all with the same two functions.

`fetch(config, job)` fills the raw folder and returns the manifest (see `data.fetch.fetch_folder`); `probe(config, job)`
asks whether the source is there, without fetching it. Only these, and `styleinv weights fetch`, open a network
connection.
"""

from styleinv.config import (
    CelebVHQSource,
    DeeperForensicsSource,
    FaceForensicsSource,
    FolderSource,
    FramesSource,
    ImagesSource,
    MetFacesSource,
    SkySource,
    Source,
    SyntheticSource,
    TaichiSource,
)
from styleinv.data.fetch import Manifest
from styleinv.data.sources import (
    celebvhq,
    deeperforensics,
    faceforensics,
    folder,
    frames,
    images,
    metfaces,
    sky,
    synthetic,
    taichi,
)
from styleinv.data.sources.job import Job, Probe


def fetch(source: Source, job: Job) -> Manifest:
    """Have the raw videos of a data set in `job.raw`.

    Returns:
        The manifest.

    Raises:
        AccessError: the data is gated, and not where it should be.
        UserError: it is damaged, or bad videos are not to be skipped.
    """
    match source:
        case SyntheticSource():
            return synthetic.fetch(source, job)
        case FolderSource():
            return folder.fetch(source, job)
        case FramesSource():
            return frames.fetch(source, job)
        case ImagesSource():
            return images.fetch(source, job)
        case DeeperForensicsSource():
            return deeperforensics.fetch(source, job)
        case FaceForensicsSource():
            return faceforensics.fetch(source, job)
        case SkySource():
            return sky.fetch(source, job)
        case TaichiSource():
            return taichi.fetch(source, job)
        case CelebVHQSource():
            return celebvhq.fetch(source, job)
        case MetFacesSource():
            return metfaces.fetch(source, job)


def probe(source: Source, job: Job) -> Probe:
    """Whether a source is there."""
    match source:
        case SyntheticSource():
            return synthetic.probe(source, job)
        case FolderSource():
            return folder.probe(source, job)
        case FramesSource():
            return frames.probe(source, job)
        case ImagesSource():
            return images.probe(source, job)
        case DeeperForensicsSource():
            return deeperforensics.probe(source, job)
        case FaceForensicsSource():
            return faceforensics.probe(source, job)
        case SkySource():
            return sky.probe(source, job)
        case TaichiSource():
            return taichi.probe(source, job)
        case CelebVHQSource():
            return celebvhq.probe(source, job)
        case MetFacesSource():
            return metfaces.probe(source, job)
