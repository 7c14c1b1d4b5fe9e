"""Checks of raw videos before any long job reads them: which are corrupt, too short or duplicates."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from styleinv import files as hashing
from styleinv.data.video import measure, probe
from styleinv.errors import Unreadable, UserError, cannot_read

# Notes: worth knowing, and no reason to leave a video out. All other problems are faults.
INFORMATION = frozenset({"mixed sizes", "mixed rates", "twins", "non-square pixels", "variable rate"})
RATE_TOLERANCE = 0.05  # frames per second: 29.97 passes for 30
VARIABLE = 0.6  # frames: what is that far off its place is shown at another time than at a constant rate


@dataclass(frozen=True)
class VideoFacts:
    """What is known of one video file. Where `error` says why it cannot be used, no more is known.

    Attributes:
        fps: frames per second, as the file says.
        aspect: width by height of a pixel as it is stored; `width` and `height` are in square ones.
        seconds: from the first frame to the last.
        uneven: how far a frame may be from where it would be at a constant `fps`, in frames.
        problem: that of the `Finding` that `error` leads to.
    """

    file: Path
    sha256: str = ""
    width: int = 0
    height: int = 0
    fps: float = 0.0
    frames: int = 0
    aspect: Fraction = Fraction(1)
    seconds: float = 0.0
    uneven: float = 0.0
    problem: str = ""
    error: str = ""

    def frames_at(self, fps: float | None) -> int:
        """How many frames it has at most when it is resampled; images never are."""
        if fps is None or not self.seconds:
            return self.frames
        return math.ceil((self.seconds + 1 / self.fps) * fps)


@dataclass(frozen=True)
class Finding:
    """One problem of one file, or of the whole set (`file` None).

    `problem` is `missing`, `empty`, `unreadable`, `corrupt`, `too short`, `wrong rate`, `no mask`, `wrong hash`,
    `refused` (a name or size that is not to be trusted), `duplicate` or `no videos`; or one of `INFORMATION`.
    """

    file: Path | None
    problem: str
    detail: str


def examine(files: Sequence[Path]) -> list[VideoFacts]:
    """Decode every video once, from its first to its last frame."""
    return [_facts(file) for file in files]


def _facts(file: Path) -> VideoFacts:
    try:
        info, found, digest = probe(file), measure(file), hashing.sha256(file)
    except (UserError, OSError) as error:
        return unusable(file, error)
    shape = (found.width, found.height, info.fps, found.frames, found.aspect)
    return VideoFacts(file, digest, *shape, seconds=float(found.times[-1]), uneven=found.uneven(info.fps))


def unusable(file: Path, error: UserError | OSError) -> VideoFacts:
    """Say of a file that it cannot be used, and why."""
    fault = cannot_read(file, error) if isinstance(error, OSError) else error
    if isinstance(fault, Unreadable):
        return VideoFacts(file, problem="unreadable", error=fault.said)
    problem = "missing" if not file.is_file() else "corrupt" if file.stat().st_size else "empty"
    return VideoFacts(file, problem=problem, error=fault.said)


def denials(denied: Sequence[OSError]) -> list[Finding]:
    """Make a finding of each folder that could not be listed."""
    return [Finding(Path(error.filename), "unreadable", f"cannot be listed ({error.strerror})") for error in denied]


def findings(
    facts: Sequence[VideoFacts],
    min_frames: int,
    rate: float | None = None,
    as_published: bool = False,
    fps: float | None = None,
) -> list[Finding]:
    """List what is wrong with videos that `examine` has looked at.

    Args:
        facts: of all videos of one data set.
        min_frames: fewer make a video too short.
        rate: frames per second that every video must have; None allows any.
        as_published: two files of the same content are `twins`, for information, and no `duplicate`: who publishes a
            data set counts both.
        fps: rate that they will be resampled to, at which their frames count; None where they keep their frames.
    """
    if not facts:
        return [Finding(None, "no videos", "there is nothing to look at")]
    found = []
    first_with: dict[str, Path] = {}
    for video in facts:
        if video.error:
            found.append(Finding(video.file, video.problem, video.error))
            continue
        if (frames := video.frames_at(fps)) < min_frames:
            found.append(Finding(video.file, "too short", f"{frames} frames, {min_frames} are needed"))
        if rate is not None and abs(video.fps - rate) > RATE_TOLERANCE:
            found.append(Finding(video.file, "wrong rate", f"{video.fps:g} frames per second, not {rate:g}"))
        found += _notes(video, fps)
        twin = first_with.setdefault(video.sha256, video.file)
        if twin != video.file:
            if as_published:
                found.append(Finding(None, "twins", f"{video.file} has the same content as {twin}"))
            else:
                found.append(Finding(video.file, "duplicate", f"the same content as {twin}"))
    whole = [video for video in facts if not video.error]
    for problem, kinds in (
        ("mixed sizes", Counter(f"{video.width} x {video.height}" for video in whole)),
        ("mixed rates", Counter(f"{video.fps:g} fps" for video in whole)),
    ):
        if len(kinds) > 1:
            found.append(Finding(None, problem, ", ".join(f"{kind}: {count}" for kind, count in kinds.most_common())))
    return found


def _notes(video: VideoFacts, fps: float | None) -> list[Finding]:
    """What is unusual in how one video stores its pixels and frames."""
    notes = []
    if video.aspect != 1:
        pixels = f"{video.aspect.numerator}:{video.aspect.denominator}"
        shown = f"{pixels}, so it is shown as {video.width} x {video.height}"
        unless = "crop: mask with border: faithful takes them for squares"
        notes.append(Finding(video.file, "non-square pixels", f"{shown}; {unless}"))
    if video.uneven > VARIABLE and fps is None:
        mean = (video.frames - 1) / video.seconds
        rates = f"{video.frames} frames, {mean:.3g} a second on average, but the file says {video.fps:.3g}"
        cure = f"fps: {video.fps:.3g} (or another rate) in the data set's YAML shows all at their time"
        notes.append(Finding(video.file, "variable rate", f"{rates}; {cure}"))
    return notes


def raise_on(found: Sequence[Finding]) -> None:
    """Raise one `UserError` that names the first file in trouble and counts the rest; information alone passes."""
    problems = [finding for finding in found if finding.problem not in INFORMATION]
    if not problems:
        return
    first = problems[0]
    rest = Counter(finding.problem for finding in problems[1:])
    more = f"; {len(problems) - 1} more: {', '.join(f'{count} {kind}' for kind, count in rest.items())}" if rest else ""
    raise UserError(
        f"{first.problem}: {first.detail.rstrip('.')}{more}",
        file=first.file,
        cure="Remove or replace these files, or set on_bad_video: skip.",
    )
