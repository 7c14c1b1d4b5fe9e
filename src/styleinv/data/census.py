"""How much of the paper's data is here: found beside expected, and why the rest is not."""

from typing import Any, Literal

from pydantic import Field

from styleinv.data.manifest import Manifest, Stored


class Expected(Stored):
    """What the paper had of a data set; null where it does not say."""

    videos: int = Field(ge=1)
    frames: int | None = Field(None, ge=1)


class Kept(Stored):
    """One video of a frame store.

    Attributes:
        name: in the store.
        video: of a clip of an aligned face: the raw video's name.
        sha256: of the raw video.
        source_frames: frames that were read, of a clip those of the clip alone.
        frames: frames that are stored.
        dropped: the others.
        runs: the source frames that are stored, as (first, length) of what follows each other.
        interpolated: of an aligned face: stored frames in which it was not found.
        shake: of an aligned face: how much it shakes (see `crop.shake`).
    """

    name: str
    video: str | None = None
    sha256: str
    source_frames: int
    frames: int
    dropped: int
    runs: tuple[tuple[int, int], ...]
    interpolated: int | None = None
    shake: dict[str, Any] | None = None


class SkippedVideo(Stored):
    """A raw video that could not be used."""

    name: str
    reason: str


class FollowedVideo(Stored):
    """One raw video in which a face was followed.

    Attributes:
        name: of the raw video.
        source_frames: frames that it has.
        detected: frames with a face.
        interpolated: stored frames without.
        splits: how often it was split.
        crowded: frames with more than one face.
        dropped: frames that are not stored, by reason.
        brought: SHA-256 of the file that its landmarks or boxes came from, where they were brought.
    """

    name: str
    source_frames: int
    detected: int
    interpolated: int
    splits: int
    crowded: int
    dropped: dict[str, int]
    brought: str | None = None


class Faces(Stored):
    """All videos in which a face was followed: their sums, and each of them.

    Attributes:
        preset, landmarks: of the crop's settings.
        stand_in: whether exact landmarks stood in for the networks.
        weights: SHA-256 of the networks' weights.
        videos: in the order of the store. The other keys are those of `FollowedVideo`.
    """

    preset: str
    landmarks: str
    stand_in: bool
    weights: dict[str, str]
    source_frames: int
    detected: int
    interpolated: int
    splits: int
    crowded: int
    dropped: dict[str, int]
    videos: tuple[FollowedVideo, ...]


class CropCensus(Stored):
    """What a crop stored and left out.

    Attributes:
        videos, frames: number of those in the store.
        dropped_frames: source frames of these videos that are not.
        fps: frames per second of the store.
        other_rates: videos that had another rate.
        kept: every video of the store.
        skipped: every raw video that is not in it.
        faces: of aligned faces: how they were found.
        shake: of aligned faces: medians and 95 % quantiles over the clips.
    """

    videos: int
    frames: int
    dropped_frames: int
    fps: float
    other_rates: int
    kept: tuple[Kept, ...]
    skipped: tuple[SkippedVideo, ...]
    faces: Faces | None = None
    shake: dict[str, Any] | None = None


class Share(Stored):
    """Found by expected; None where nothing is expected."""

    videos: float | None
    frames: float | None


class Absent(Stored):
    """Something that the source names, or had, and the store does not hold."""

    name: str
    stage: Literal["fetch", "crop"]
    reason: str


class Census(CropCensus):
    """The census of a data set, `census.json`.

    Attributes:
        expected: the paper's counts, None where there are none.
        share: how much of them is here.
        missing: all that is not, of the source's own lists, the fetch and the crop.
    """

    expected: Expected | None
    share: Share | None
    missing: tuple[Absent, ...]


def account(crop: CropCensus, manifest: Manifest, expected: Expected | None) -> Census:
    """Complete the census of a crop by what never reached it and by what was expected."""
    missing = [Absent(name=item.name, stage="fetch", reason=item.reason) for item in manifest.missing]
    missing += [
        Absent(name=item.file, stage="fetch", reason=f"{item.problem}: {item.detail}") for item in manifest.skipped
    ]
    missing += [Absent(name=item.name, stage="crop", reason=item.reason) for item in crop.skipped]
    share = None
    if expected is not None:
        expected = Expected(videos=expected.videos, frames=expected.frames)
        frames = crop.frames / expected.frames if expected.frames else None
        share = Share(videos=crop.videos / expected.videos, frames=frames)
    return Census(**crop.plain(), expected=expected, share=share, missing=tuple(missing))


def share_line(title: str, share: Share | None) -> str | None:
    """Write a share as `TaiChi: 71 % of the paper's videos, 70 % of its frames`; None where there is none."""
    if share is None:
        return None
    parts = [f"{_percent(share.videos)} of the paper's videos"] if share.videos is not None else []
    parts += [f"{_percent(share.frames)} of its frames"] if share.frames is not None else []
    return f"{title}: {', '.join(parts)}"


def _percent(share: float) -> str:
    """Write a share in whole percents, but never 0 % or 100 % where that is only rounding."""
    percent = round(100 * share)
    if (percent == 100 and share != 1) or (percent == 0 and share > 0):
        return f"{100 * share:.2f} %"
    return f"{percent} %"
