"""Checks of raw videos before any long job reads them: which are corrupt, too short or duplicates."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from styleinv import files as hashing
from styleinv.data.video import count_frames, probe
from styleinv.errors import UserError

INFORMATION = frozenset({"mixed sizes", "mixed rates", "twins"})
RATE_TOLERANCE = 0.05  # frames per second: 29.97 passes for 30


@dataclass(frozen=True)
class VideoFacts:
    """What is known of one video file. Where `error` says why it cannot be decoded, only `sha256` may be known too."""

    file: Path
    sha256: str = ""
    width: int = 0
    height: int = 0
    fps: float = 0.0
    frames: int = 0
    error: str = ""


@dataclass(frozen=True)
class Finding:
    """One problem of one file, or of the whole set (`file` None).

    `problem` is `missing`, `empty`, `corrupt`, `too short`, `wrong rate`, `no mask`, `wrong hash`, `refused` (a name or
    size that is not to be trusted), `duplicate` or `no videos`; or, for information, `mixed sizes`, `mixed rates` or
    `twins`.
    """

    file: Path | None
    problem: str
    detail: str


def examine(files: Sequence[Path]) -> list[VideoFacts]:
    """Decode every video once, from its first to its last frame."""
    facts = []
    for file in files:
        digest = hashing.sha256(file) if file.is_file() else ""
        try:
            info, frames = probe(file), count_frames(file)
            facts.append(VideoFacts(file, digest, info.width, info.height, info.fps, frames))
        except UserError as error:
            facts.append(VideoFacts(file, digest, error=str(error).removeprefix(f"{file}: ")))
    return facts


def findings(
    facts: Sequence[VideoFacts], min_frames: int, rate: float | None = None, as_published: bool = False
) -> list[Finding]:
    """List what is wrong with videos that `examine` has looked at.

    Args:
        facts: of all videos of one data set.
        min_frames: fewer make a video too short.
        rate: frames per second that every video must have; None allows any.
        as_published: two files of the same content are `twins`, for information, and no `duplicate`: who publishes a
            data set counts both.
    """
    if not facts:
        return [Finding(None, "no videos", "there is nothing to look at")]
    found = []
    first_with: dict[str, Path] = {}
    for video in facts:
        if video.error:
            empty = video.file.is_file() and video.file.stat().st_size == 0
            problem = "empty" if empty else "corrupt" if video.file.is_file() else "missing"
            found.append(Finding(video.file, problem, video.error))
            continue
        if video.frames < min_frames:
            found.append(Finding(video.file, "too short", f"{video.frames} frames, {min_frames} are needed"))
        if rate is not None and abs(video.fps - rate) > RATE_TOLERANCE:
            found.append(Finding(video.file, "wrong rate", f"{video.fps:g} frames per second, not {rate:g}"))
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
