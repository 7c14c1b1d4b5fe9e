"""Costs of trainings, measured before they run."""

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from styleinv.cli import main
from styleinv.paths import Paths
from styleinv.runs import parse_run
from styleinv.stages.cost import untrained, without_data
from styleinv.stages.setting import Setting
from styleinv.stages.train import _does_not_fit
from styleinv.training.distribution import World
from styleinv.training.measure import Cost, count, counting_kept
from styleinv.training.method import TrainingConfig
from tests.project import make_project


def test_kept_bytes_are_counted_once_and_released() -> None:
    weight = nn.Parameter(torch.ones(1000))
    x = torch.ones(1000, requires_grad=True)
    with counting_kept([weight]) as most:
        y = (x * weight).exp()
        assert most() == 2 * 4000  # x for the product (weight is ignored), exp keeps its result
        y.sum().backward()
        (x * x).sum().backward()
    assert most() == 2 * 4000


def test_days_follow_from_rate_and_length() -> None:
    assert Cost(1, 0, 4, 0, 25000, None, 1, 1, 8.64).days == pytest.approx(2.5)


def test_costs_need_no_artefact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_project(tmp_path)
    options = ["--config", str(folder / "config/tiny.yaml"), "--results", str(folder / "results")]
    runs = [f"talking_faces/{name}" for name in ("styleinv", "styleinv-no_inversion", "long_video_gan")]
    assert main(["cost", *runs, *options]) == 0
    assert "tensors kept for the backward pass" in capsys.readouterr().out
    table = pd.read_csv(folder / "results/tables/cost.csv").set_index(["method", "stage"])
    assert len(table) == 8 and (table["memory_gb_per_video"] > 0).all() and (table["days"] > 0).all()
    assert (table["host_gb"] > 0.2).all() and (table["fits"] > 100).all()
    assert (table["groups_at_once"] == [1 if stage.endswith("/inversion") else 2 for _, stage in table.index]).all()
    whole, without = (
        table.loc[f"talking_faces/{m}", f"talking_faces/{m}"] for m in ("styleinv", "styleinv-no_inversion")
    )
    assert whole["trained_parameters"] > without["trained_parameters"] and whole["frames_per_video"] == 4
    assert [path.name for path in (folder / "results").iterdir()] == ["tables"]


def test_what_is_counted_without_data_is_what_a_cpu_keeps(tiny: Setting, tmp_path: Path) -> None:
    """And frames of another scale, which lie there, are in nobody's way."""
    scale = tmp_path / "config/larger.yaml"
    shutil.copytree(tiny.config.parent, scale.parent)
    scale.write_text(f"extends: {tiny.config.stem}\ndatasets: {{talking_faces: {{resolution: 64}}}}\n")
    setting, run = Setting(scale, tiny.paths), parse_run("talking_faces/stylegan_v")
    ((part, sizes),) = without_data(run, setting)
    trial = Setting(scale, Paths(tmp_path / "results"))
    method = untrained(run, setting, trial, World("cpu"))
    on_cpu = count(method, torch.device("cpu"))
    # Some bytes apart, as the form of a few operations differs.
    assert sizes.bytes_per_video == pytest.approx(on_cpu.bytes_per_video, rel=1e-4) and sizes.bytes_per_video > 100_000
    assert part == run and replace(sizes, bytes_per_video=0) == replace(on_cpu, bytes_per_video=0)


def test_a_training_that_does_not_fit_says_what_to_set(
    tiny: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB\nmore lines")

    monkeypatch.setattr("styleinv.stages.train.train_loop", full)
    results = tmp_path / "results"
    shutil.copytree(tiny.paths.root, results)
    command = ["train", "talking_faces/stylegan2", "--config", str(tiny.config), "--results", str(results)]
    assert main(command) == 1
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "stylegan2.yaml" in line and "training.group_size" in line and "Set group_size to 1" in line


@pytest.mark.parametrize(
    "batch_gpu,device,fits,field,cure",
    [
        (None, "cuda", 0, "training.batch_gpu", "Set it to 4: slower, but the same training"),
        (None, "cuda", 6, "training.batch_gpu", "Set it to 6, the most that fits: slower, but the same training"),
        (None, "cuda", 9, "training.batch_gpu", "Set it to 7, the most that fits: slower"),
        (4, "cuda", 0, "training.batch_gpu", "Set it to 2: slower, but the same training"),
        (1, "cuda", 0, "training.group_size", "Set group_size to 4: other statistics"),
        (None, "cpu", 0, "training.group_size", "Set group_size to 4: other statistics"),
        (None, "cpu", 3, "training.group_size", "Set group_size to 2: other statistics"),
    ],
)
def test_the_cure_for_a_full_memory_is_true(
    tiny: Setting, batch_gpu: int | None, device: str, fits: int, field: str, cure: str
) -> None:
    training = TrainingConfig(batch=64, batch_gpu=batch_gpu, total_kimg=1)
    line = str(_does_not_fit(parse_run("talking_faces/styleinv"), tiny, training, device, fits))
    assert field in line and cure in line


@pytest.mark.parametrize(
    "at_once,fits,processes,cure",
    [
        (8, 0, 1, "8 groups of 8 samples at once do not fit the memory. Set it to 4: slower, but the same training"),
        (8, 40, 1, "Set it to 4, the most that fits"),
        (8, 16, 1, "Set it to 2, the most that fits"),
        (8, 64, 1, "Set it to 4, the most that fits"),
        (8, 7, 1, "Set it to 1: slower"),
        (8, 0, 4, "2 groups of 8 samples at once do not fit the memory. Set it to 1: slower"),
    ],
)
def test_fewer_groups_at_once_are_the_first_cure(
    tiny: Setting, at_once: int, fits: int, processes: int, cure: str
) -> None:
    """As many as divide the groups of a process, and fewer than have been tried."""
    training = TrainingConfig(batch=64, groups_at_once=at_once, total_kimg=1)
    line = str(_does_not_fit(parse_run("talking_faces/styleinv"), tiny, training, "cuda", fits, processes))
    assert "training.groups_at_once" in line and cure in line
