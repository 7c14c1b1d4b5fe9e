"""check: look for faults in a folder of videos before anything is trained on it."""

from pathlib import Path

from styleinv.data.check import examine, findings
from styleinv.data.video import list_videos


def check(folder: Path, min_frames: int) -> str:
    """Report the problems of a folder of videos, one a line.

    Raises:
        UserError: for a folder without videos.
    """
    facts = examine(list_videos(folder))
    problems = [f"{f.file or folder}: {f.problem}: {f.detail}" for f in findings(facts, min_frames)]
    good = sum(1 for _ in facts)
    return "\n".join([*problems, f"{good} videos examined, {len(problems)} findings"])
