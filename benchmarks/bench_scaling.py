"""Numbers behind docs/scaling.md: the DAG at 1,000 jobs, the frame store's index, decoding, the MLflow import."""

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from styleinv.data.store import FrameStore, write_store
from styleinv.tracking.sync import sync

ROOT = Path(__file__).parent.parent
DATASETS, FRAMES, VIDEOS, RUNS = 40, 50_000, 500, 50


def dag(folder: Path) -> None:
    """Dry run of every table over many data sets."""
    for name in ("Snakefile", "workflow", "profiles", "config"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / name)
    names = [f"set{i}" for i in range(DATASETS)]
    for name in names:
        shutil.copy(folder / "config/datasets/talking_faces.yaml", folder / f"config/datasets/{name}.yaml")
    command = ["snakemake", "all", "-n", "--quiet", "rules", "--config", f"datasets=[{','.join(names)}]"]
    start = time.perf_counter()
    text = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    jobs = next(line.split()[1] for line in text.splitlines() if line.startswith("total "))
    print(f"dry run of {jobs} jobs: {time.perf_counter() - start:.1f} s")


def store(folder: Path) -> None:
    """Opening the index, and decoding frames of 256 x 256."""
    rng = np.random.default_rng(0)
    frame = np.kron(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
    tiny = np.zeros((8, 8, 3), np.uint8)
    each = FRAMES // VIDEOS
    write_store(folder / "many.zip", ((f"{i:05d}", [tiny] * each) for i in range(VIDEOS)), {"fps": 25.0}, "png")
    start = time.perf_counter()
    opened = FrameStore(folder / "many.zip")
    seconds = time.perf_counter() - start
    kept = sum(a.nbytes for a in (opened._headers, opened._sizes, opened._crcs))
    print(f"opening an index of {FRAMES} frames: {seconds:.2f} s, {kept / FRAMES:.0f} bytes of memory a frame")
    write_store(folder / "large.zip", [("a", [frame] * 200)], {"fps": 25.0}, "jpeg95")
    large = FrameStore(folder / "large.zip")
    start = time.perf_counter()
    for _ in range(5):
        large.frames(0, range(200))
    print(f"decoding 256 x 256 JPEG: {1000 / (time.perf_counter() - start):.0f} frames/s in one thread")


def mlflow(folder: Path) -> None:
    """Importing finished runs of 200 curve points each."""
    for i in range(RUNS):
        place = folder / f"results/set/method{i}"
        place.mkdir(parents=True)
        curve = "\n".join(f"{k},{k / 10},{k},{1 / (k + 1)}" for k in range(200))
        (place / "curves.csv").write_text(f"step,kimg,seconds,loss_g_loss\n{curve}\n")
        record = {"stage": "train", "run": f"set/method{i}", "commit": "0", "config_hash": str(i), "outputs": {}}
        (place / "provenance.json").write_text(json.dumps(record))
    start = time.perf_counter()
    summary = sync(folder / "results", f"sqlite:///{folder}/mlflow.db", None)
    seconds = time.perf_counter() - start
    print(f"MLflow import: {summary.new} runs of 200 points in {seconds:.1f} s")


def main() -> None:
    """Run all in temporary folders."""
    for part in (dag, store, mlflow):
        with tempfile.TemporaryDirectory() as folder:
            part(Path(folder))


if __name__ == "__main__":
    main()
