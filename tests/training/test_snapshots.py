"""Models kept along a training, and their scores."""

from pathlib import Path

import pandas as pd
import pytest

from styleinv.errors import UserError
from styleinv.paths import Paths
from styleinv.runs import parse_run
from styleinv.stages.crop import crop
from styleinv.stages.evaluate import evaluate, load_scored
from styleinv.stages.fetch import fetch
from styleinv.stages.progress import progress
from styleinv.stages.setting import Setting
from styleinv.stages.summary import table as tables
from styleinv.stages.train import train
from styleinv.training.schedule import snapshot_steps
from styleinv.training.snapshots import model_snapshots
from tests.project import TINY, make_project


def test_snapshots_are_evenly_spaced_and_never_the_last_step() -> None:
    assert snapshot_steps(100, 4) == {20, 40, 60, 80}
    assert snapshot_steps(100, 0) == frozenset()
    assert snapshot_steps(3, 10) == {1, 2}


@pytest.mark.slow
def test_scores_along_a_training(tmp_path: Path) -> None:
    folder = make_project(tmp_path, TINY.replace("seed: 0\n", "seed: 0\nsnapshots: 2\n", 1))
    setting = Setting(folder / "config/tiny.yaml", Paths(folder / "results"))
    fetch("talking_faces", setting)
    crop("talking_faces", setting)
    runs = [parse_run(f"talking_faces/{method}") for method in ("stylegan2", "inversion", "styleinv")]
    for run in runs:
        train(run, setting)
    kept = model_snapshots(setting.paths.run(runs[-1]))
    assert len(kept) == 2
    assert load_scored(runs[-1], kept[0], setting).resolution == 32
    progress(runs[-1], setting)
    table = pd.read_csv(setting.paths.progress(runs[-1]))
    last = pd.read_csv(setting.paths.curves(runs[-1])).iloc[-1]
    assert list(table["step"]) == [last["step"] // 3, last["step"] * 2 // 3, last["step"]]
    assert table["kimg"].iloc[-1] == last["kimg"]
    assert table["fid"].nunique() == 3 and (table["first_frame_error"] > 0).all()
    evaluate(runs[-1], setting)
    tables("table1", runs[-1:], setting)
    row = pd.read_csv(setting.paths.table("table1")).iloc[0]
    assert row["fvd16_best_of"] == 3 and row["fvd16_best"] == pytest.approx(table["fvd16"].min(), rel=1e-5)
    assert row["fvd16"] == pytest.approx(table["fvd16"].iloc[-1], rel=1e-5)
    progress(runs[0], setting)
    images = pd.read_csv(setting.paths.progress(runs[0]))
    assert images["fid"].nunique() == 3 and "fvd4" not in images
    with pytest.raises(UserError, match="makes no videos"):
        progress(runs[1], setting)
    for path in kept:
        path.unlink()
    with pytest.raises(UserError, match="Set `snapshots`"):
        progress(runs[-1], setting)
