"""Where data sets come from: one file for each kind of source, all with the same two functions.

`fetch(config, job)` fills the raw folder and returns the manifest (see `data.fetch.fetch_folder`); `probe(config, job)`
asks whether the source is there, without fetching it. Only these, and `styleinv weights fetch`, open a network
connection.
"""

from types import ModuleType

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

_KINDS: dict[type[Source], ModuleType] = {
    SyntheticSource: synthetic,
    FolderSource: folder,
    FramesSource: frames,
    ImagesSource: images,
    DeeperForensicsSource: deeperforensics,
    FaceForensicsSource: faceforensics,
    SkySource: sky,
    TaichiSource: taichi,
    CelebVHQSource: celebvhq,
    MetFacesSource: metfaces,
}


def fetch(source: Source, job: Job) -> Manifest:
    """Have the raw videos of a data set in `job.raw`.

    Returns:
        The manifest.

    Raises:
        AccessError: the data is gated, and not where it should be.
        UserError: it is damaged, or bad videos are not to be skipped.
    """
    return _KINDS[type(source)].fetch(source, job)


def probe(source: Source, job: Job) -> Probe:
    """Whether a source is there."""
    return _KINDS[type(source)].probe(source, job)
