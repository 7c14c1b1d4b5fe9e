"""Intake of raw videos: links to the good ones under plain names, and a manifest that accounts for all."""

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from styleinv.data.check import INFORMATION, Finding, VideoFacts, examine, findings, raise_on
from styleinv.data.manifest import Entry, Manifest, Missing, SkippedFile
from styleinv.data.source import Job
from styleinv.data.store import order
from styleinv.errors import UserError, printable

Names = Callable[[Sequence[Path]], list[str]]


def take_in(
    about: dict[str, Any],
    found: Sequence[Path],
    root: Path,
    job: Job,
    *,
    masks: Mapping[Path, Path] | None = None,
    rate: float | None = None,
    names: Names | None = None,
    judged: Sequence[Finding] = (),
    missing: Sequence[Missing] | None = None,
) -> Manifest:
    """Examine video files, link the good ones into the raw folder and say what became of the rest.

    Args:
        about: what the manifest says of the source.
        found: the files.
        root: where they were found; names and messages are relative to it.
        job: what to do; links of an earlier call are removed from its raw folder.
        masks: where the mask of each should be; None where the data set has none.
        rate: frames per second that every video must have; None allows any.
        names: their names, from paths relative to `root`; `safe_names` by default.
        judged: what is wrong with other files, found before.
        missing: what the source's own lists name but nobody delivered; None where it has no lists.

    Raises:
        UserError: a bad video with on_bad_video = "error", or no good one.
    """
    judged = list(judged)
    if masks is not None:
        absent = {video: masks[video] for video in found if not masks[video].is_file()}
        judged += [
            Finding(video, "no mask", f"there is no {mask.parent.name}/{mask.name}") for video, mask in absent.items()
        ]
        found = [video for video in found if video not in absent]
    if job.on_bad_video == "error":
        raise_on(judged)  # before hours of decoding
    return link_good(about, examine(found), judged, root, job, names, rate=rate, masks=masks, missing=missing)


def link_good(
    about: dict[str, Any],
    facts: Sequence[VideoFacts],
    judged: Sequence[Finding],
    root: Path,
    job: Job,
    names: Names | None = None,
    *,
    rate: float | None = None,
    masks: Mapping[Path, Path] | None = None,
    missing: Sequence[Missing] | None = None,
) -> Manifest:
    """Link good videos into the raw folder under plain names, and account for all.

    Args:
        about, root, job, names, rate, masks, missing: as for `take_in`; `root` may also be a zip that holds all videos.
        facts: of all videos; a video may be a folder of images.
        judged: what is known to be wrong already.

    Raises:
        UserError: a bad video with on_bad_video = "error", or no good one.
    """
    # Which videos are good?
    about = {key: printable(value) if isinstance(value, str) else value for key, value in about.items()}
    if facts or not judged:
        judged = [*judged, *findings(facts, job.min_frames, rate, job.as_published, job.resampled)]
    if job.on_bad_video == "error":
        raise_on(judged)
    bad = {finding.file for finding in judged if finding.problem not in INFORMATION}
    good = [video for video in facts if video.file not in bad]
    if not good:
        raise_on(judged)

    # Link each of them, or the zip that they are in.
    remove_links(job.raw)
    zipped = not root.is_dir()
    if zipped:
        link(root, job.raw / "original" / root.name)
    videos = []
    for name, video in zip((names or safe_names)([v.file.relative_to(root) for v in good]), good, strict=True):
        more = {}
        if zipped:
            file = f"original/{root.name}"
            inside = video.file.relative_to(root).as_posix()
            more["inside"] = "" if inside == "." else inside
        else:
            file = f"original/{name}{'' if video.file.is_dir() else video.file.suffix.lower()}"
            link(video.file, job.raw / file)
        if masks is not None:
            more["mask"] = f"mask/{name}{masks[video.file].suffix.lower()}"
            link(masks[video.file], job.raw / more["mask"])
        videos.append(entry_of(name, file, video, **more))
    return accounted(about, videos, judged, root, missing)


def accounted(
    about: dict[str, Any],
    videos: Sequence[Entry],
    judged: Sequence[Finding],
    root: Path,
    missing: Sequence[Missing] | None = None,
) -> Manifest:
    """Make a manifest of entries and of what was found wrong below `root`."""
    lists = {} if missing is None else {"missing": tuple(missing)}
    return Manifest(
        source=about,
        **lists,
        videos=tuple(sorted(videos, key=lambda video: order(video.name))),
        skipped=tuple(
            SkippedFile(
                file=_below(root, f.file),
                problem=f.problem,
                detail=printable(f.detail.replace(f"{root}/", "")),
            )
            for f in judged
            if f.file is not None and f.problem not in INFORMATION
        ),
        notes=tuple(
            f"{f.problem}: {f'{_below(root, f.file)}: ' if f.file else ''}{printable(f.detail.replace(f'{root}/', ''))}"
            for f in judged
            if f.problem in INFORMATION
        ),
    )


def _below(root: Path, file: Path) -> str:
    """The path of a file below a folder, or its own where it lies elsewhere, fit for JSON."""
    return printable(file.relative_to(root).as_posix() if file.is_relative_to(root) else file.as_posix())


def entry_of(name: str, file: str, facts: VideoFacts, mask: str | None = None, **more: Any) -> Entry:
    """Make the entry of a video; `more` are keys that only some videos have."""
    return Entry(
        name=name,
        file=file,
        mask=mask,
        sha256=facts.sha256,
        width=facts.width,
        height=facts.height,
        fps=facts.fps,
        frames=facts.frames,
        **more,
    )


def safe_names(paths: Sequence[Path]) -> list[str]:
    """Make a plain name (letters, digits, "_", "-") of each relative path; equal ones get a hash."""
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


def refuse_inside(source: Path, out: Path) -> None:
    """Refuse results that lie inside their source, where the next fetch would take them for videos.

    Raises:
        UserError: they do.
    """
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise UserError(f"lies inside the source {source}", file=out, cure="Choose another place for results.")


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
