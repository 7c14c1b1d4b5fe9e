"""DeeperForensics-1.0 (Jiang et al. 2020): of 48,475 source videos, the front camera in uniform light.

100 actors speak in 8 emotions each. The archive is gated and its folder nesting only described, so videos are found by
their names, wherever they lie.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from styleinv.data.check import Finding, denials
from styleinv.data.intake import refuse_inside, take_in
from styleinv.data.manifest import Manifest, Missing
from styleinv.data.source import Job, Probe, SourceConfig, local, probe_by
from styleinv.data.tree import walk
from styleinv.errors import UserError

EMOTIONS = ("neutral", "happy", "surprise", "angry", "contempt", "sad", "disgust", "fear")
ACTORS = 100
VIDEO = re.compile(rf"(?P<actor>[MW]\d{{3}})_light_uniform_(?P<emotion>{'|'.join(EMOTIONS)})_camera_front\.mp4")
_NAME = re.compile(rf"(?<![A-Za-z0-9_-]){VIDEO.pattern}")
LISTS = Path("lists") / "source_videos_lists"
OBTAIN = (
    "Read and accept the terms of use, ask for the data with the form at "
    "https://docs.google.com/forms/d/e/1FAIpQLSe6YIdIjpuL3ACdNjklZNMXXg-1csU02iO4sM7eFwkga0npVg/viewform , run the "
    "archive's unzip.sh and name the folder that holds source_videos/ in source.path or STYLEINV_DEEPERFORENSICS."
)


class Config(SourceConfig):
    """DeeperForensics-1.0, unpacked: the source videos of uniform light and front camera.

    Attributes:
        path: the folder that holds `source_videos/` and `lists/`.
        rate: frames per second that every video must have.
    """

    path: str = "$STYLEINV_DEEPERFORENSICS"
    rate: float = Field(30, gt=0)


def fetch(source: Config, job: Job) -> Manifest:
    """Take in every video of the subset. Missing is what its lists, or each actor in 8 emotions, lead to expect.

    Raises:
        AccessError: the archive is not there.
        UserError: it holds no video of the subset.
    """
    denied: list[OSError] = []
    root, found, twice = _look(source, job, denied)
    listed, absent = _listed(root, "*list.txt"), _listed(root, "*missing_list.txt")
    actors = sorted({name[:4] for name in {*found, *listed, *absent}})
    wanted = {f"{actor}_light_uniform_{emotion}_camera_front.mp4" for actor in actors for emotion in EMOTIONS}
    manifest = take_in(
        {"kind": "deeperforensics", "name": root.resolve().name, "masks": False},
        [found[name] for name in sorted(found)],
        root,
        job,
        rate=source.rate,
        names=lambda files: [file.stem for file in files],
        judged=[*denials(denied), *twice],
        missing=[
            Missing(name=name.removesuffix(".mp4"), reason=_reason(name, listed, absent))
            for name in sorted(wanted - found.keys())
        ],
    )
    actor = {video.name: video.model_copy(update={"person": video.name[:4]}) for video in manifest.videos}
    manifest = manifest.model_copy(update={"videos": tuple(actor.values())})
    if len(actors) == ACTORS:
        return manifest
    note = f"actors: {len(actors)} of {ACTORS} are in the archive or its lists"
    return manifest.model_copy(update={"notes": (*manifest.notes, note)})


def probe(source: Config, job: Job) -> Probe:
    """Report how many videos of the subset are in the archive."""

    def look() -> str:
        root, found, _ = _look(source, job, job.denied())
        return f"{root} holds {len(found)} videos of uniform light and front camera"

    return probe_by(look)


def _look(source: Config, job: Job, denied: list[OSError] | None) -> tuple[Path, dict[str, Path], list[Finding]]:
    """Find the archive, the videos of the subset by their names, and those of a name that another one has."""
    root = local(source.path, OBTAIN, ("source_videos",))
    refuse_inside(root, job.raw)
    found: dict[str, Path] = {}
    twice = []
    for file in _subset(root / "source_videos", denied):
        if file.name in found:
            twice.append(Finding(file, "duplicate", f"the same name as {found[file.name]}"))
        found.setdefault(file.name, file)
    if not found:
        what = "holds no video named like M004_light_uniform_happy_camera_front.mp4"
        raise UserError(what, file=root / "source_videos", cure="Run the archive's unzip.sh.")
    return root, found, twice


def _subset(folder: Path, denied: list[OSError] | None) -> Iterable[Path]:
    files = [place / name for place, names in walk(folder, denied) for name in names if VIDEO.fullmatch(name)]
    return sorted(files, key=str)


def _listed(root: Path, pattern: str) -> set[str]:
    """Read names of the subset from the archive's own lists; `*list.txt` does not mean the list of missing videos."""
    names: set[str] = set()
    for file in (root / LISTS).glob(pattern):
        if ("missing" in file.name) == ("missing" in pattern):
            names |= {found[0] for found in _NAME.finditer(file.read_text("utf-8", "replace"))}
    return names


def _reason(name: str, listed: set[str], absent: set[str]) -> str:
    if name in absent:
        return "in the archive's own list of missing videos"
    return "in the archive's list, but not in its folder" if name in listed else "not in the archive"
