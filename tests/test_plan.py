"""What a study will take, from measured costs."""

from pathlib import Path

import pytest

from styleinv.cli import main
from styleinv.runs import parse_run
from styleinv.stages.plan import Training, wall_days
from tests.project import make_project


def trainings(*rows: tuple[str, str | None, float]) -> dict:
    found = [Training(parse_run(f"d/{run}"), below and parse_run(f"d/{below}"), days, 0) for run, below, days in rows]
    return {training.run: training for training in found}


def test_wall_time_follows_what_builds_on_what() -> None:
    study = trainings(("a", None, 2), ("b", "a", 3), ("c", None, 4), ("d", None, 1))
    assert wall_days(study, 1) == 10
    assert wall_days(study, 2) == 5  # a, b beside c, d
    assert wall_days(study, 9) == 5


def test_the_plan_of_the_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_project(tmp_path)
    options = ["--config", str(folder / "config/tiny.yaml"), "--results", str(folder / "results")]
    runs = [f"talking_faces/{name}" for name in ("styleinv", "styleinv-no_ffa_st", "long_video_gan")]
    assert main(["plan", *runs, *options]) == 2
    line = capsys.readouterr().err.strip()
    assert "has no cost of talking_faces/stylegan2" in line and "styleinv cost" in line
    table = folder / "results/tables/cost.csv"
    table.parent.mkdir(parents=True)
    head = "method,stage,trained_parameters,frozen_parameters,days,device"
    names = ("stylegan2", "inversion", "styleinv", "styleinv-no_ffa_st", "long_video_gan_lr", "long_video_gan")
    rows = [f"x,talking_faces/{name},1000000,0,{days},a GPU" for days, name in enumerate(names, 1)]
    table.write_text("\n".join([head, *rows]) + "\n")
    assert main(["plan", *runs, "--gpus", "2", *options]) == 0
    text = capsys.readouterr().out
    for line in ("train_styleinv                   2         7.00", "lowres                           1", "evaluate"):
        assert line in text
    assert "in all                          12        21.00" in text and "with 2 at once   11.00 days" in text
    assert main(["plan", *runs, "--gpus", "0", *options]) == 2
