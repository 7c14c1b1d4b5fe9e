"""What all kinds of sources share: how they are configured, what they are told, and what they answer."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import field_validator

from styleinv.data.settings import OnBadVideo
from styleinv.data.youtube import Extractor
from styleinv.errors import AccessError, UserError
from styleinv.files import expand, unset_variable
from styleinv.schema import Strict


class SourceConfig(Strict):
    """Base of every source's `Config`.

    Attributes:
        type: the kind, which is the name of a module in `data.sources`.
    """

    type: str

    @field_validator("*")
    @classmethod
    def _no_null(cls, value: Any) -> Any:
        if isinstance(value, str) and "\0" in value:
            raise ValueError("must not hold a null character")
        return value


class ImagesConfig(SourceConfig):
    """A folder, or a zip, of images that the user has.

    Attributes:
        path: the folder or zip.
        obtain: how to get it, for whoever does not have it.
    """

    path: str
    obtain: str = ""


@dataclass(frozen=True)
class Job:
    """What a source is told for one fetch.

    Attributes:
        raw: the folder to fill.
        lock: file of the hashes that nobody published (see `data.trust`).
        fps: rate of frames that come as images, and of synthetic videos.
        resampled: rate that video files will be resampled to; None where they keep their frames.
        min_frames: fewer make a video bad.
        on_bad_video: stop, or leave bad videos out and say so.
        as_published: a data set of the paper: what its publisher counted twice is kept twice.
        extractor: what fetches YouTube videos; None is yt-dlp.
    """

    raw: Path
    lock: Path
    fps: float = 25.0
    resampled: float | None = None
    min_frames: int = 1
    on_bad_video: OnBadVideo = "error"
    as_published: bool = False
    extractor: Extractor | None = None

    def denied(self) -> list[OSError] | None:
        """Make the list in which a look notes folders that cannot be read; None where the first of them stops it."""
        return [] if self.on_bad_video == "skip" else None


@dataclass(frozen=True)
class Probe:
    """Whether a source is there, and what it said."""

    good: bool
    says: str


def local(path: str, obtain: str, needs: tuple[str, ...] = ()) -> Path:
    """Find data that the user has to bring.

    Args:
        path: from the configuration (see `files.expand`).
        obtain: how to get the data.
        needs: files or folders that must be in it.

    Raises:
        AccessError: nothing is there, or the environment variable in `path` is not set.
    """
    if name := unset_variable(path):
        raise AccessError(f"the environment variable {name} is not set", field="source.path", cure=obtain)
    place = expand(path)
    if not place.exists():
        raise AccessError("does not exist", file=place, cure=obtain)
    for name in needs:
        if not (place / name).exists():
            raise AccessError(f"holds no {name}", file=place, cure=obtain)
    return place


def probe_by(look: Callable[[], str]) -> Probe:
    """Report what a look at a source finds: it says so, or raises what `fetch` would."""
    try:
        return Probe(True, look())
    except UserError as error:
        return Probe(False, str(error))
