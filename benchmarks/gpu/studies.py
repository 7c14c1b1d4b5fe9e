"""The studies that the GPU tier works on: the miniature of the tests, and the paper's networks."""

import shutil
from pathlib import Path

import numpy as np

from benchmarks.allocator import ROOT
from benchmarks.gpu.steps import Study
from styleinv.config import load_dataset
from styleinv.data.store import write_store
from styleinv.files import write_text
from styleinv.paths import Paths
from styleinv.schema import dump_yaml
from tests.project import make_project

# A data set with the settings of the methods' files.
DATASET = "faceforensics"
# Each in the fastest precision that it has. What the losses of the inversion need besides must be fetched.
METHODS = {
    "stylegan2": {"training": {"precision": "tf32"}},
    "inversion": {"training": {"precision": "bfloat16"}, "init": "random", "lpips_lambda": 0, "id_lambda": 0},
    "styleinv": {"training": {"precision": "bfloat16"}},
}


def miniature(folder: Path) -> Study:
    """Make the miniature of the tests."""
    scale = make_project(folder) / "config/tiny.yaml"
    study = Study(scale, "talking_faces", folder / "results")
    _noise(study, videos=6, frames=20)
    return study


def of_the_paper(folder: Path, resolution: int) -> Study:
    """Make a study of the methods' own settings; at 1024² of the image generator's alone."""
    shutil.copytree(ROOT / "config", folder / "config")
    sizes = {256: {}, 1024: {"stylegan2": METHODS["stylegan2"] | {"networks": {"channel_base": 32768}}}}
    scale = {
        "seed": 0,
        "device": "auto",
        "datasets": {DATASET: {"resolution": resolution}},
        "methods": METHODS | sizes[resolution],
    }
    write_text(folder / "config/bench.yaml", dump_yaml(scale))
    study = Study(folder / "config/bench.yaml", DATASET, folder / "results")
    _noise(study, *((8, 136) if resolution == 256 else (2, 8)))
    return study


def _noise(study: Study, videos: int, frames: int) -> None:
    """Write frames of noise, which cost what others cost."""
    dataset = load_dataset(study.dataset, study.scale)
    rng = np.random.default_rng(0)
    stills = rng.integers(0, 256, (videos, dataset.resolution, dataset.resolution, 3), dtype=np.uint8)
    path = Paths(study.folder).frames(study.dataset)
    path.parent.mkdir(parents=True, exist_ok=True)
    many = ((f"{number:04d}", [still] * frames) for number, still in enumerate(stills))
    write_store(path, many, {"fps": dataset.fps or 25.0}, dataset.codec)
