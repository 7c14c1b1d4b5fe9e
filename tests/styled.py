"""A miniature study with a StyleInV run and a generator that is tuned on drawings."""

from pathlib import Path

from styleinv.paths import Paths
from styleinv.runs import parse_run
from styleinv.stages.crop import crop
from styleinv.stages.fetch import fetch
from styleinv.stages.setting import Setting
from styleinv.stages.train import train
from tests.project import TINY, make_project

SCALE = TINY.replace("total_kimg: 0.08", "total_kimg: 0.02").replace("total_kimg: 0.32", "total_kimg: 0.032")
STYLE = """\
title: Drawings
source: {type: synthetic, videos: 6, identities: 6, frames: 1, size: 64, seed: 7}
crop: {type: centre}
resolution: 32
fps: 25
codec: png
min_frames: 1
methods:
  style_transfer: {parent: talking_faces}
"""
RUN, STYLED = parse_run("talking_faces/styleinv"), parse_run("drawings/style_transfer")


def make_styled_study(place: Path) -> Setting:
    """Make both data sets, and train the parent's stages and the tuned generator."""
    folder = make_project(place, SCALE)
    (folder / "config/datasets/drawings.yaml").write_text(STYLE)
    setting = Setting(folder / "config/tiny.yaml", Paths(folder / "results"))
    for dataset in ("talking_faces", "drawings"):
        fetch(dataset, setting)
        crop(dataset, setting)
    for run in ("talking_faces/stylegan2", "talking_faces/inversion", str(RUN), str(STYLED)):
        train(parse_run(run), setting)
    return setting
