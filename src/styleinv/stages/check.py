"""check: look for faults in a folder of videos before anything is trained on it."""

import math
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from styleinv.data.check import INFORMATION, denials, examine, findings
from styleinv.data.video import list_videos
from styleinv.errors import Faulty, UserError, printable
from styleinv.stages.dataset import DATASET, STUDY


def check(folder: Path, min_frames: int, fps: float | None) -> Iterator[str]:
    """Yield what is wrong or unusual with a folder of videos, one finding a line, a line that counts, and what is next.

    Faults are what `fetch` refuses; notes are worth knowing and nothing that it refuses.

    Args:
        folder: with videos.
        min_frames: fewer make a video too short.
        fps: rate that they will be resampled to, at which their frames count; None where they keep their frames.

    Raises:
        Faulty: some of the videos have faults.
        UserError: it is no folder with videos, or cannot be read.
    """
    if fps is not None and not 0 < fps < math.inf:
        raise UserError(f"must be positive, not {fps:g}", field="--fps")
    denied: list[OSError] = []
    facts = examine(list_videos(folder, denied))
    found = [*denials(denied), *findings(facts, min_frames, fps=fps)]
    faults = [finding for finding in found if finding.problem not in INFORMATION]
    for finding in found:
        kind = "fault" if finding in faults else "note"
        yield printable(f"{kind}: {finding.file or folder}: {finding.problem}: {finding.detail}")
    yield f"videos: {len(facts)}, faults: {len(faults)}, notes: {len(found) - len(faults)}"
    if faults:
        kinds = ", ".join(f"{count} {problem}" for problem, count in Counter(f.problem for f in faults).items())
        cure = "Remove or replace these files, or set on_bad_video: skip in the data set's YAML."
        raise Faulty(f"has faults ({kinds})", file=folder, cure=cure)
    yield f"next: {DATASET.format(folder=shlex.quote(printable(folder)), name='mine')}"
    yield f"then: {STUDY.format(name='mine')}"
