"""Make docs/demo.gif, the README's moving picture, from a finished demo, and write what
the present code has to give again.

    make demo && python benchmarks/demo_picture.py

docs/demo.json holds the settings of the picture's trainings and the curves of their first steps; `tests/test_docs.py`
makes both anew, so that a change of the code that would change the picture asks for another one.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import styleinv
from styleinv import methods
from styleinv.config import lineage, load_method
from styleinv.data.store import FrameStore
from styleinv.data.video import write_video
from styleinv.files import write_json
from styleinv.paths import Paths
from styleinv.runs import parse_run
from styleinv.schema import merge, read_yaml
from styleinv.stages.crop import crop
from styleinv.stages.fetch import fetch
from styleinv.stages.setting import Setting
from styleinv.stages.showing import enlarged
from styleinv.stages.train import train

ROOT = Path(__file__).parent.parent
RUN = parse_run("talking_faces/styleinv")
SCALE, PICTURE, RECORD = ROOT / "config/demo.yaml", ROOT / "docs/demo.gif", ROOT / "docs/demo.json"
STEPS = 3
# Videos beside each other; rows of real ones and of generated ones; frames, of which every third is shown; enlargement.
COLUMNS, REAL, GENERATED, FRAMES, EVERY, TIMES = 7, 1, 2, 128, 3, 2


def record() -> dict[str, Any]:
    """Return the resolved settings of every training behind the picture, and its curves after some steps."""
    import yaml

    chain = lineage(RUN, ROOT / "config")
    settings = {
        str(run): load_method(run, SCALE, methods.get(run.method).Config).model_dump(mode="json") for run in chain
    }
    curves = {}
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "config", Path(folder) / "config")
        scale = Path(folder) / "config/short.yaml"
        # A step counts `batch` samples; StyleInV counts four frames of each.
        short = {
            run.method: {"training": {"total_kimg": STEPS * kimg, "tick_kimg": STEPS * kimg}}
            for run in chain
            for kimg in [settings[str(run)]["training"]["batch"] / 1000 * (4 if run == RUN else 1)]
        }
        few = {"talking_faces": {"source": {"videos": 5}}}
        scale.write_text(yaml.safe_dump(merge(read_yaml(SCALE), {"methods": short, "datasets": few})))
        setting = Setting(scale, Paths(Path(folder) / "results"))
        fetch(RUN.dataset, setting)
        crop(RUN.dataset, setting)
        for run in chain:
            train(run, setting)
            last = pd.read_csv(setting.paths.curves(run)).drop(columns="seconds").iloc[-1]
            curves[str(run)] = {name: float(value) for name, value in last.items()}
    return {"settings": settings, "curves": curves}


def film() -> Iterator[np.ndarray]:
    """Yield frames of real videos in the first row and of generated ones below, all as they are, only enlarged."""
    paths = Paths(ROOT / "results")
    store = FrameStore(paths.frames(RUN.dataset))
    model = styleinv.load(str(RUN), paths.root)
    films = [store.frames(i, range(FRAMES)) for i in range(COLUMNS * REAL)]
    films += [model.generate(seed=seed, frames=FRAMES) for seed in range(COLUMNS * GENERATED)]
    for t in range(0, FRAMES, EVERY):
        rows = [np.concatenate([one[t] for one in films[i : i + COLUMNS]], 1) for i in range(0, len(films), COLUMNS)]
        gap = np.full((2, *rows[0].shape[1:]), 255, np.uint8)
        yield enlarged(np.concatenate([*rows[:REAL], gap, *rows[REAL:]]), TIMES * rows[0].shape[1])


def main() -> None:
    """Write the picture and its record."""
    write_video(PICTURE, film(), styleinv.load(str(RUN), ROOT / "results").fps / EVERY)
    write_json(RECORD, record())


if __name__ == "__main__":
    main()
