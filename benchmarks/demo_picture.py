"""Draw docs/demo.png, the README's picture, from a finished demo, and write what the present code has to give again.

    make demo && python benchmarks/demo_picture.py

docs/demo.json holds the settings of the picture's trainings and the curves of their first steps; `tests/test_docs.py`
makes both anew, so that a change of the code that would change the picture asks for another one.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from styleinv import methods
from styleinv.config import lineage, load_method
from styleinv.files import write_json
from styleinv.paths import Paths
from styleinv.runs import parse_run
from styleinv.schema import merge, read_yaml
from styleinv.stages.crop import crop
from styleinv.stages.fetch import fetch
from styleinv.stages.setting import Setting
from styleinv.stages.train import train

ROOT = Path(__file__).parent.parent
RUN = parse_run("talking_faces/styleinv")
SCALE, PICTURE, RECORD = ROOT / "config/demo.yaml", ROOT / "docs/demo.png", ROOT / "docs/demo.json"
ROWS, STEPS = 4, 3


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


def main() -> None:
    """Enlarge the first rows of the run's sample picture, as it is, and write the record beside it."""
    samples = Image.open(Paths(ROOT / "results").samples(RUN)).convert("RGB")
    side = samples.width // 9
    picture = samples.crop((0, 0, samples.width, ROWS * side))
    picture.resize((picture.width * 3, picture.height * 3), Image.Resampling.NEAREST).save(PICTURE, optimize=True)
    write_json(RECORD, record())


if __name__ == "__main__":
    main()
