"""TaiChi-HD (Siarohin et al. 2019): 3,334 clips of 280 YouTube videos, named with their boxes in a published table."""

import csv
import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import Field

from styleinv.data.check import Finding, raise_on
from styleinv.data.clips import ClippedFiles, ListedClip
from styleinv.data.download import download, probe_url
from styleinv.data.intake import accounted, link, remove_links
from styleinv.data.manifest import Entry, Manifest, Missing
from styleinv.data.source import Job, Probe, SourceConfig, local, probe_by
from styleinv.data.trust import Trust
from styleinv.data.video import is_video
from styleinv.data.youtube import ID, Extractor, Unavailable, YtDlp, fetch_videos
from styleinv.errors import UserError
from styleinv.forms import Form

COLUMNS = ["video_id", "start", "end", "bbox", "fps", "width", "height", "partition"]
ASKED = 3  # videos that `probe` asks for
OBTAIN = "Name a folder of videos called <YouTube id>.mp4 in source.path, or leave it null to download them."


class Config(SourceConfig):
    """TaiChi-HD: clips and boxes of YouTube videos, named by a table.

    Attributes:
        metadata: address or path of the table.
        sha256: its hash; null takes any.
        path: a folder of videos that are here already, named `<YouTube id>.mp4`.
        format: yt-dlp's choice of a format.
        cookies: a cookies.txt, for what only a signed-in browser sees.
        attempts: tries per video, for failures that may pass.
        pause: seconds between two videos, doubled after each failure.
    """

    metadata: str = (
        "https://raw.githubusercontent.com/AliaksandrSiarohin/video-preprocessing/master/taichi-metadata.csv"
    )
    sha256: str | None = Field(
        "1f9dcf5af96c1eb7aceb9afdf796f81668a0f8d8fc58c910369dedaab04fe12f", pattern=r"^[0-9a-fA-F]{64}$"
    )
    path: str | None = None
    format: str = "bestvideo[ext=mp4][height<=1080]/best[ext=mp4]/best"
    cookies: str | None = None
    attempts: int = Field(3, ge=1)
    pause: float = Field(2.0, ge=0)


def fetch(source: Config, job: Job) -> Manifest:
    """Fetch the videos that YouTube still has and list the table's clips of them; the others are missing, with reasons.

    Raises:
        UserError: the table cannot be had or read, or no clip is left.
    """
    table = _table(source, job.raw, job)
    clips, judged = read_table(table)
    ids = list(dict.fromkeys(clip.video for clip, _ in clips))
    known = _own(source.path, ids, job.raw) if source.path is not None else _download(source, ids, job)
    sources = ClippedFiles(job.raw)
    videos, missing = [], []
    for clip, rate in clips:
        answer = known[clip.video]
        if answer["status"] != "ok":
            reason = f"{answer['status']}: {answer['detail']}".rstrip(": ")
            missing.append(Missing(name=clip.name, reason=reason))
            continue
        entry = sources.entry(clip, answer["file"], job.min_frames, rate)
        if isinstance(entry, Entry):
            videos.append(entry)
        else:
            judged.append(Finding(job.raw / answer["file"] / clip.name, *entry))
    if job.on_bad_video == "error":
        raise_on(judged)
    if not videos:
        counts = ", ".join(f"{n} {status}" for status, n in Counter(a["status"] for a in known.values()).items())
        raise UserError(f"no clip of it can be had ({counts})", file=table, cure=OBTAIN)
    about = {"kind": "taichi", "name": table.name, "masks": False, "ids": dict(Counter(_statuses(known)))}
    return accounted(about, videos, judged, job.raw, missing)


def probe(source: Config, job: Job) -> Probe:
    """Ask whether the table is there, and which videos a folder has, or whether YouTube still has a few of them."""
    good, says = (True, "is here") if not _remote(source.metadata) else probe_url(source.metadata)
    if not good:
        return Probe(False, f"{source.metadata} {says}")
    try:
        clips, _ = read_table(_table(source, job.raw, job))
    except UserError as error:
        return Probe(False, str(error))
    ids = list(dict.fromkeys(clip.video for clip, _ in clips))
    if source.path is not None:
        own = source.path
        return probe_by(lambda: f"table {says}; of {len(ids)} videos {len(_look(own, ids))} are in {own}")
    extractor = job.extractor or YtDlp(source.format, source.cookies)
    answers = [_ask(extractor, video) for video in ids[:: max(1, len(ids) // ASKED)][:ASKED]]
    said = ", ".join(f"{n} {status}" for status, n in Counter(answers).items())
    return Probe("ok" in answers, f"table {says}; of {len(ids)} videos asked for {len(answers)}: {said}")


def read_table(path: Path) -> tuple[list[tuple[ListedClip, float]], list[Finding]]:
    """Read clips in the table's order, each with the rate that its frame numbers count by, and the unusable rows.

    Raises:
        UserError: not a table with these columns, or without a good row.
    """
    clips: list[tuple[ListedClip, float]] = []
    bad = []
    names = set()
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames is None or set(COLUMNS) - set(reader.fieldnames):
                raise UserError(
                    f"has columns {reader.fieldnames}, expected {COLUMNS}",
                    file=path,
                    cure="Give the published table, unchanged.",
                )
            for number, row in enumerate(reader, 2):
                try:
                    clip, rate = _clip(row)
                    if clip.name in names:
                        raise ValueError("the clip is there twice")
                    names.add(clip.name)
                    clips.append((clip, rate))
                except (ValueError, TypeError, ArithmeticError) as error:
                    bad.append(Finding(Path(path.name) / f"line {number}", "refused", str(error)))
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"is no table ({error})", file=path, cure="Give the published table, unchanged.") from None
    if not clips:
        raise UserError("names no clip", file=path, cure="Give the published table, unchanged.")
    return clips, bad


def _clip(row: dict[str, Any]) -> tuple[ListedClip, float]:
    video = str(row["video_id"])
    if not ID.match(video):
        raise ValueError(f"{video!r} is no YouTube id")
    start, end, width, height = (int(row[name]) for name in ("start", "end", "width", "height"))
    rate = float(row["fps"])
    numbers = [int(number) for number in re.findall(r"\d+", row["bbox"])]
    if len(numbers) != 4:
        raise ValueError(f"{row['bbox']!r} is no box")
    left, top, right, bottom = numbers
    if not (0 <= start < end and 0 < rate < 1000 and left < right <= width and top < bottom <= height):
        raise ValueError(f"frames {start} to {end} at {rate:g} fps, box {numbers} in {width} x {height}: impossible")
    box = (left / width, top / height, right / width, bottom / height)
    return ListedClip(f"{video}#{start:06d}#{end:06d}", video, start / rate, end / rate, box), rate


def _table(source: Config, folder: Path, job: Job) -> Path:
    if not _remote(source.metadata):
        path = local(source.metadata, "Name the table in source.metadata.")
        Trust(source.sha256 or "").check(path, "Give the published table, or its hash in source.sha256.")
        return path
    name = hashlib.sha256(source.metadata.encode()).hexdigest()[:8]
    file = folder / "download" / f"taichi-metadata-{name}.csv"
    return download(source.metadata, file, source.sha256, job.lock, form=TABLE)


def _is_table(path: Path) -> bool:
    try:
        return bool(read_table(path)[0])
    except UserError:
        return False


TABLE = Form(f"a table with columns {', '.join(COLUMNS)}", _is_table)


def _remote(address: str) -> bool:
    return address.startswith(("http://", "https://"))


def _download(source: Config, ids: list[str], job: Job) -> dict[str, dict[str, Any]]:
    extractor = job.extractor or YtDlp(source.format, source.cookies)
    known = fetch_videos(ids, job.raw / "youtube", extractor, source.attempts, source.pause)
    return {id_: answer | {"file": answer["file"] and f"youtube/{answer['file']}"} for id_, answer in known.items()}


def _look(path: str, ids: list[str]) -> dict[str, Path]:
    """Find the videos of the table that are here already.

    Raises:
        UserError: there are none.
    """
    folder = local(path, OBTAIN)
    here = {file.stem: file for file in sorted(folder.iterdir()) if is_video(file.name)}
    there = {video: here[video] for video in ids if video in here}
    if not there:
        raise UserError(f"holds none of the {len(ids)} videos of the table", file=folder, cure=OBTAIN)
    return there


def _own(path: str, ids: list[str], raw: Path) -> dict[str, dict[str, Any]]:
    there = _look(path, ids)
    remove_links(raw)
    known: dict[str, dict[str, Any]] = {}
    for video in ids:
        if file := there.get(video):
            link(file, raw / "original" / file.name)
            known[video] = {"status": "ok", "detail": "", "file": f"original/{file.name}"}
        else:
            known[video] = {"status": "missing", "detail": "not in the folder", "file": None}
    return known


def _ask(extractor: Extractor, video: str) -> str:
    try:
        extractor.probe(video)
    except Unavailable as refusal:
        return refusal.status
    return "ok"


def _statuses(known: dict[str, dict[str, Any]]) -> list[str]:
    return sorted(answer["status"] for answer in known.values())
