"""CelebV-HQ (Zhu et al. 2022): 35,666 clips of faces, processed by others or to be cut out of whole videos.

StyleInV used the processed set of the data set's issue 8 (scene cuts removed); it is on Academic Torrents as
843b5adb0358124d388c4e9836654c246b988ff4.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from styleinv.data.check import Finding, denials, raise_on
from styleinv.data.clips import ClippedFiles, ListedClip
from styleinv.data.intake import accounted, link, refuse_inside, remove_links, safe_names, take_in
from styleinv.data.manifest import Entry, Manifest, Missing
from styleinv.data.source import Job, Probe, SourceConfig, local, probe_by
from styleinv.data.store import order
from styleinv.data.video import list_videos
from styleinv.data.youtube import ID
from styleinv.errors import UserError, printable
from styleinv.files import expand, read_json

OBTAIN = (
    "Accept the agreement of https://github.com/CelebV-HQ/CelebV-HQ and fetch the processed set (40 GB) from Academic "
    "Torrents, 843b5adb0358124d388c4e9836654c246b988ff4; name the folder of its .mp4 clips in source.path or "
    "STYLEINV_CELEBVHQ, with celebvhq_info.json in it where you have it. Whole videos named <YouTube id>.mp4 do as "
    "well: form: archive."
)


class Config(SourceConfig):
    """CelebV-HQ: clips of faces, or the whole videos that they are cut out of.

    Attributes:
        path: `processed`: a folder of clips `<clip>.mp4`; `archive`: one of whole videos `<YouTube id>.mp4`.
        form: which of the two; clips of whole videos are cut by `info` (crop type `box`).
        info: the table of clips, from `path` if relative; `processed` clips need it only to tell what is missing.
    """

    path: str = "$STYLEINV_CELEBVHQ"
    form: Literal["processed", "archive"] = "processed"
    info: str = "celebvhq_info.json"


def fetch(source: Config, job: Job) -> Manifest:
    """Take in the processed clips, or cut the clips of the table out of whole videos.

    Raises:
        AccessError: the folder, or for `archive` the table, is not there.
        UserError: nothing usable is in it.
    """
    denied: list[OSError] = []
    folder, found, clips, judged = _look(source, job, denied)
    judged += denials(denied)
    about = {"kind": "celebvhq", "form": source.form, "name": folder.resolve().name, "masks": False}
    take = _processed if source.form == "processed" else _archive
    return take(about, found, folder, clips, judged, job)


def probe(source: Config, job: Job) -> Probe:
    """Report how many videos are in the folder, and how many clips its table names."""

    def look() -> str:
        folder, found, clips, _ = _look(source, job, job.denied())
        return f"{folder} holds {len(found)} videos, {source.info} names {len(clips)} clips"

    return probe_by(look)


def _look(
    source: Config, job: Job, denied: list[OSError] | None
) -> tuple[Path, list[Path], list[ListedClip], list[Finding]]:
    """Find the folder, its videos, the clips of its table, if it has one, and the unusable rows."""
    folder = local(source.path, OBTAIN, (source.info,) if source.form == "archive" else ())
    refuse_inside(folder, job.raw)
    table = folder / expand(source.info)
    clips, judged = read_info(table) if table.exists() else ([], [])
    return folder, list_videos(folder, denied), clips, judged


def read_info(path: Path) -> tuple[list[ListedClip], list[Finding]]:
    """Read the clips of `celebvhq_info.json`, in the order of their names, and the rows that are unusable.

    Raises:
        UserError: it names no clips.
    """
    table = read_json(path)
    rows = table.get("clips") if isinstance(table, dict) else None
    if not isinstance(rows, dict):
        raise UserError("names no clips", file=path, field="clips", cure="Download it again.")
    clips, bad = [], []
    for name, row in sorted(rows.items(), key=lambda item: order(item[0])):
        try:
            clips.append(_clip(name, row))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            bad.append(Finding(path / name, "refused", str(error)))
    return clips, bad


def _clip(name: str, row: Any) -> ListedClip:
    video, start, end = str(row["ytb_id"]), float(row["duration"]["start_sec"]), float(row["duration"]["end_sec"])
    if not ID.match(video):
        raise ValueError(f"{video!r} is no YouTube id")
    if not name or set(name) & set("/\\\0\n\r") or name in (".", "..") or printable(name) != name:
        raise ValueError(f"{name!r} cannot name a clip")
    left, top, right, bottom = (float(row["bbox"][side]) for side in ("left", "top", "right", "bottom"))
    return ListedClip(name, video, start, end, (left, top, right, bottom))


def _processed(
    about: dict[str, Any], found: list[Path], folder: Path, clips: list[ListedClip], judged: list[Finding], job: Job
) -> Manifest:
    here = {video.stem for video in found}
    missing = [Missing(name=clip.name, reason="not in the folder") for clip in clips if clip.name not in here]
    return take_in(about, found, folder, job, names=_names, judged=judged, missing=missing)


def _names(files: Sequence[Path]) -> list[str]:
    """Name clips after their files, whatever folders they lie in."""
    return safe_names([Path(file.name) for file in files])


def _archive(
    about: dict[str, Any], found: list[Path], folder: Path, clips: list[ListedClip], judged: list[Finding], job: Job
) -> Manifest:
    here = {video.stem: video for video in found}
    sources = ClippedFiles(job.raw)
    videos, missing = [], []
    remove_links(job.raw)
    for clip in clips:
        video = here.get(clip.video)
        if video is None:
            missing.append(Missing(name=clip.name, reason=f"video {clip.video} is not in the folder"))
            continue
        file = f"original/{video.name}"
        if not (job.raw / file).is_symlink():
            link(video, job.raw / file)
        entry = sources.entry(clip, file, job.min_frames)
        if isinstance(entry, Entry):
            videos.append(entry)
        else:
            judged.append(Finding(video / clip.name, *entry))
    if job.on_bad_video == "error":
        raise_on(judged)
    if not videos:
        raise UserError("no clip of the table can be cut out of these videos", file=folder, cure=OBTAIN)
    return accounted(about, videos, judged, folder, missing)
