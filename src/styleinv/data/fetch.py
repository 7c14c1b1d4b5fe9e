"""Raw videos in one plain layout (`original/`, `mask/` where there are masks) and a manifest."""

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from styleinv import files
from styleinv.data.check import INFORMATION, Finding, VideoFacts, examine, findings, raise_on
from styleinv.data.settings import OnBadVideo
from styleinv.data.store import order
from styleinv.data.synthetic import make_talking_faces
from styleinv.data.video import list_videos
from styleinv.errors import UserError

Manifest = dict[str, Any]


def fetch_folder(
    source: str | Path, out: str | Path, min_frames: int = 1, on_bad_video: OnBadVideo = "error"
) -> Manifest:
    """Take in a folder of videos in any layout and format, without copying: `out` gets links.

    A source with `original/` and `mask/` (FaceForensics; also below `train/`) gives each video the mask of the same
    name.

    Args:
        source: the folder; sub-folders count, names may hold spaces and any letters.
        out: the raw folder to fill; links of an earlier call are removed.
        min_frames: fewer frames make a video bad.
        on_bad_video: what to do about corrupt, too short or duplicate videos: stop, or leave them out and say so.

    Returns:
        {"source": {...}, "videos": [{"name", "file", "mask", "sha256", "width", "height", "fps", "frames"}], "skipped":
        [{"file", "problem", "detail"}], "notes": [...]}; `file` and `mask` are relative to `out` (`mask` may be None),
        videos are sorted by name. Other sources add keys: of a video that is a folder of images inside of a zip,
        `inside` names the folder; of a clip of a longer video, `clip` is {"first", "frames"} in frames of `file`; `box`
        is [left, top, right, bottom] in its pixels; `missing` lists what the source's own lists name but nobody
        delivered, as [{"name", "reason"}].

    Raises:
        UserError: no folder, no videos, a missing mask, or a bad video with on_bad_video = "error".
    """
    source, out = Path(source), Path(out)
    refuse_inside(source, out)
    originals, masks = _layout(source)
    found = list_videos(originals)
    partners = {video: masks / video.relative_to(originals) for video in found} if masks else None
    taken = take_in(found, originals, out, min_frames, on_bad_video, partners)
    return {"source": {"kind": "folder", "name": source.resolve().name, "masks": masks is not None}, **taken}


def take_in(
    found: Sequence[Path],
    root: Path,
    out: Path,
    min_frames: int,
    on_bad_video: OnBadVideo,
    masks: Mapping[Path, Path] | None = None,
    rate: float | None = None,
    names: Callable[[Sequence[Path]], list[str]] | None = None,
    also: Sequence[Finding] = (),
    as_published: bool = False,
) -> Manifest:
    """Examine video files, link the good ones into `out` and say what became of the rest.

    Args:
        found: the files.
        root: where they were found; names and messages are relative to it.
        out: the raw folder to fill; links of an earlier call are removed.
        min_frames: fewer frames make a video bad.
        on_bad_video: stop, or leave bad videos out and say so.
        masks: where the mask of each should be; None where the data set has none.
        rate: frames per second that every video must have; None allows any.
        names: their names, from paths relative to `root`; `safe_names` by default.
        also: what is wrong with other files, found before.
        as_published: keep files of the same content (see `check.findings`).

    Returns:
        `videos`, `skipped` and `notes` of a manifest (see `fetch_folder`).

    Raises:
        UserError: a bad video with on_bad_video = "error", or no good one.
    """
    judged = list(also)
    if masks is not None:
        absent = {video: masks[video] for video in found if not masks[video].is_file()}
        judged += [
            Finding(video, "no mask", f"there is no {mask.parent.name}/{mask.name}") for video, mask in absent.items()
        ]
        found = [video for video in found if video not in absent]
    if on_bad_video == "error":
        raise_on(judged)
    facts = examine(found)
    judged += findings(facts, min_frames, rate, as_published)
    if on_bad_video == "error":
        raise_on(judged)
    bad = {finding.file for finding in judged if finding.problem not in INFORMATION}
    good = [video for video in facts if video.file not in bad]
    if not good:
        raise_on(judged)
    remove_links(out)
    videos = []
    for name, video in zip((names or safe_names)([v.file.relative_to(root) for v in good]), good, strict=True):
        entry = entry_of(name, f"original/{name}{video.file.suffix.lower()}", video)
        link(video.file, out / entry["file"])
        if masks is not None:
            mask = masks[video.file]
            entry["mask"] = f"mask/{name}{mask.suffix.lower()}"
            link(mask, out / entry["mask"])
        videos.append(entry)
    return accounted(videos, judged, root)


def accounted(videos: Sequence[Manifest], judged: Sequence[Finding], root: Path) -> Manifest:
    """`videos`, `skipped` and `notes` of a manifest, from its entries and what was found wrong below `root`."""
    return {
        "videos": sorted(videos, key=lambda video: order(video["name"])),
        "skipped": [
            {
                "file": f.file.relative_to(root).as_posix() if f.file.is_relative_to(root) else f.file.as_posix(),
                "problem": f.problem,
                "detail": f.detail.replace(f"{root}/", ""),
            }
            for f in judged
            if f.file is not None and f.problem not in INFORMATION
        ],
        "notes": [f"{f.problem}: {f.detail}".replace(f"{root}/", "") for f in judged if f.problem in INFORMATION],
    }


def fetch_synthetic(
    out: str | Path,
    videos: int,
    frames: int,
    size: int,
    fps: float,
    seed: int,
    identities: int | None = None,
    drawing: Literal["detailed", "plain"] = "detailed",
) -> Manifest:
    """Make the built-in talking faces.

    The arguments are those of `make_talking_faces`, the manifest is that of `fetch_folder`; each video's entry also
    names its `landmarks`.
    """
    out = Path(out)
    entries = []
    for name in make_talking_faces(out, videos, frames, size, fps, seed, identities, drawing):
        file = f"original/{name}.mp4"
        entry = entry_of(name, file, VideoFacts(out / file, files.sha256(out / file), size, size, float(fps), frames))
        entries.append(entry | {"mask": f"mask/{name}.mp4", "landmarks": f"landmarks/{name}.npz"})
    settings: dict[str, Any] = {"videos": videos, "frames": frames, "size": size, "fps": fps, "seed": seed}
    settings |= {"identities": identities, "drawing": drawing}
    return {"source": {"kind": "synthetic", **settings, "masks": True}, "videos": entries, "skipped": [], "notes": []}


def safe_names(paths: Sequence[Path]) -> list[str]:
    """One plain name (letters, digits, "_", "-") for each relative path, told apart by a hash where two are alike."""
    plain = []
    for path in paths:
        letters = unicodedata.normalize("NFKD", path.with_suffix("").as_posix()).encode("ascii", "ignore").decode()
        plain.append(re.sub(r"[^A-Za-z0-9-]+", "_", letters).strip("_-"))
    alike = Counter(name.lower() for name in plain)  # some file systems ignore case
    return [
        name if name and alike[name.lower()] == 1 else f"{name or 'video'}_{_short_hash(path)}"
        for name, path in zip(plain, paths, strict=True)
    ]


def _short_hash(path: Path) -> str:
    return hashlib.sha256(path.as_posix().encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _layout(source: Path) -> tuple[Path, Path | None]:
    """Where the videos are, and where their masks are if there are any."""
    for base in (source, source / "train"):
        if (base / "original").is_dir() and (base / "mask").is_dir():
            return base / "original", base / "mask"
    return source, None


def refuse_inside(source: Path, out: Path) -> None:
    """The results may not lie inside the source: the next call would take them in.

    Raises:
        UserError: they do.
    """
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise UserError(f"lies inside the source {source}", file=out, cure="Choose another place for results.")


def entry_of(name: str, file: str, facts: VideoFacts) -> Manifest:
    """One entry of a manifest's `videos`."""
    return {
        "name": name,
        "file": file,
        "mask": None,
        "sha256": facts.sha256,
        "width": facts.width,
        "height": facts.height,
        "fps": facts.fps,
        "frames": facts.frames,
    }


def remove_links(out: Path) -> None:
    """Remove the links of an earlier fetch from a raw folder."""
    for folder in (out / "original", out / "mask"):
        for old in folder.iterdir() if folder.is_dir() else ():
            if old.is_symlink():
                old.unlink()


def link(target: Path, link: Path) -> None:
    """Link a file or folder into a raw folder.

    Raises:
        UserError: something else is at its place.
    """
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.symlink(target.resolve(), link)
    except FileExistsError:
        raise UserError("is in the way of a link", file=link, cure="Remove it.") from None
