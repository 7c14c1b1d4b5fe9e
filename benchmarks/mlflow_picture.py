"""Draw docs/mlflow-*.png: what `mlflow ui` shows of two seeds of two methods (needs Chromium).

    python -m benchmarks.mlflow_picture [folder]

It trains four runs of seconds in the folder (a temporary one by default; what is finished there is not made again),
imports them, and takes pictures of the pages that `styleinv track` prints and of their menu `Views`.
"""

import sys
import tempfile
from pathlib import Path

from PIL import Image

from styleinv.cli import main
from styleinv.tracking.sync import LOCAL_SERVER, sync
from tests.mlflow_server import Server, browse
from tests.project import ROOT, TINY, make_project

RUNS = ["digan", "digan-seed1", "stylegan_v", "stylegan_v-seed1"]
LONGER = {
    "0.08": "0.4",
    "0.24": "0.4",
    "tick_kimg: 0.06": "tick_kimg: 0.02",
    "[4, 16]": "[16, 128]",
    "clip_length: 16": "clip_length: 128",
}
LONGER |= {"frames: 20": "frames: 132", "videos: 6": "videos: 12", "min_frames: 16": "min_frames: 128"}
PICTURES = {
    "runs": "=scores",
    "seeds": "=seeds",
    "curves": "=trainings&compareRunsMode=CHART",
}
# Its assistant beside the page is of no use here.
WIDTH, HEIGHT, PAGE = 1900, 800, 1412


def study(folder: Path) -> None:
    """Train and score the runs."""
    scale = TINY
    for short, long in LONGER.items():
        scale = scale.replace(short, long)
    if not (folder / "config").exists():
        make_project(folder, scale)
    common = ["--config", str(folder / "config/tiny.yaml"), "--results", str(folder / "results")]
    steps = [["fetch", "talking_faces"], ["crop", "talking_faces"]]
    steps += [[stage, f"talking_faces/{run}"] for run in RUNS for stage in ("train", "evaluate")]
    for step in steps:
        done = {"train": "model.safetensors", "evaluate": "metrics.json", "crop": "frames.zip"}.get(step[0], "raw.json")
        place = step[1] if "/" in step[1] else f"data/{step[1]}"
        if not (folder / "results" / place / done).exists() and main([*step, *common]):
            raise SystemExit(1)


def pictures(folder: Path) -> None:
    """Import the runs and take the pictures."""
    pages = sync(folder / "results", f"sqlite:///{folder}/mlflow.db", published=None).pages
    server = Server(folder)
    try:
        for name, view in PICTURES.items():
            out = ROOT / f"docs/mlflow-{name}.png"
            page = pages["talking_faces"].replace(LOCAL_SERVER, server.uri).replace("=scores", view)
            browse(page, out, f"{WIDTH},{HEIGHT}")
            Image.open(out).crop((0, 0, PAGE, HEIGHT)).quantize(128).save(out, optimize=True)
    finally:
        server.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(sys.argv[1] if len(sys.argv) > 1 else temporary).resolve()
        study(place)
        pictures(place)
