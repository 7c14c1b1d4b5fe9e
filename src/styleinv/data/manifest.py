"""What a fetch found: the manifest `raw.json`, which the crop and the census read."""

from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError

from styleinv.errors import UserError
from styleinv.files import read_json
from styleinv.schema import Strict


class Stored(Strict):
    """What one stage writes as JSON and another one reads. Keys that do not apply are absent from the JSON."""

    def plain(self) -> dict[str, Any]:
        """Return every key that was given, ready for JSON."""
        return self.model_dump(exclude_unset=True)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and validate a JSON file.

        Raises:
            UserError: it is missing or broken; the first fault is named.
        """
        try:
            return cls.model_validate(read_json(path))
        except ValidationError as error:
            fault = error.errors()[0]
            field = ".".join(map(str, fault["loc"])) or None
            raise UserError(fault["msg"], file=path, field=field, cure="Run the stage that makes it again.") from None


class Span(Stored):
    """Frames of a file that follow each other."""

    first: int
    frames: int


class Entry(Stored):
    """One raw video.

    Attributes:
        name: a plain name, which the frame store keeps.
        file: a video, an image, a folder of images, or a zip of them; relative to the raw folder.
        mask: a video of masks, relative to the raw folder; None where there is none.
        sha256: of the content.
        width, height: in pixels.
        fps: frames per second.
        frames: how many it has.
        inside: of a video inside a zip: its folder, or its image.
        landmarks: of a synthetic video: its exact landmarks, relative to the raw folder.
        clip: of a clip of a longer video: which of the file's frames.
        box: of a clip: left, top, right and bottom of the face in pixels, ends exclusive.
        person: who is seen, where the source knows.
    """

    name: str
    file: str
    mask: str | None
    sha256: str
    width: int
    height: int
    fps: float
    frames: int
    inside: str | None = None
    landmarks: str | None = None
    clip: Span | None = None
    box: tuple[int, int, int, int] | None = None
    person: str | None = None


class Missing(Stored):
    """A video that the source's own lists name but nobody delivered."""

    name: str
    reason: str


class SkippedFile(Stored):
    """A file that was delivered but cannot be used; `problem` is that of a `check.Finding`."""

    file: str
    problem: str
    detail: str


class Manifest(Stored):
    """All raw videos of a data set.

    Attributes:
        source: the `kind` of source, its name and what else it says of itself.
        missing: of sources that have lists of their own.
        videos: sorted by `store.order` of their names.
        skipped: what was left out.
        notes: what is worth knowing and no reason to leave anything out.
    """

    source: dict[str, Any]
    missing: tuple[Missing, ...] = ()
    videos: tuple[Entry, ...]
    skipped: tuple[SkippedFile, ...]
    notes: tuple[str, ...]
