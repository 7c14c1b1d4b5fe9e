"""Trainings in bfloat16 on a CPU learn and resume; a precision that cannot be is refused in one line."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from styleinv.errors import UserError
from styleinv.files import read_json, sha256
from styleinv.paths import Paths
from styleinv.runs import parse_run
from styleinv.schema import merge
from styleinv.stages.setting import Setting
from styleinv.stages.train import build, train
from styleinv.training.distribution import World
from styleinv.training.update import accumulate, step_optimizer


@pytest.fixture(scope="module")
def upstream(tiny: Setting, tmp_path_factory: pytest.TempPathFactory) -> Setting:
    results = tmp_path_factory.mktemp("upstream") / "results"
    shutil.copytree(tiny.paths.root, results)
    setting = Setting(tiny.config, Paths(results))
    for method in ("stylegan2", "inversion"):
        train(parse_run(f"talking_faces/{method}"), setting)
    return setting


def changed(setting: Setting, folder: Path, method: str, **training: Any) -> Setting:
    """The study with another training block, its inputs in a folder of its own."""
    config, results = folder / "config", folder / "results"
    if not config.exists():
        shutil.copytree(setting.config.parent, config)
        shutil.copytree(setting.paths.root, results)
        shutil.rmtree(results / "talking_faces" / method, ignore_errors=True)
    scale = merge(yaml.safe_load(setting.config.read_text()), {"methods": {method: {"training": training}}})
    (config / setting.config.name).write_text(yaml.safe_dump(scale))
    return Setting(config / setting.config.name, Paths(results))


@pytest.mark.parametrize("name, term", [("inversion", "Loss/l2"), ("styleinv", "Loss/G/recon")])
def test_steps_on_one_batch_lower_the_loss(upstream: Setting, tmp_path: Path, name: str, term: str) -> None:
    setting, run = changed(upstream, tmp_path, name, precision="bfloat16"), parse_run(f"talking_faces/{name}")
    method = build(run, setting, World("cpu"))
    phase, real, losses = method.phases[0], method.real_batch(0, method.training.group), []
    types = set()
    for module in method.parts.modules[phase.optimizer].modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda module, inputs, output: types.add(output.dtype))

    def report(name: str, value: Tensor) -> None:
        if name == term:
            losses.append(float(value.detach()))

    for _ in range(12):
        gradients = accumulate(method.parts, phase, [((0,), real)], 1, 0, 0, report)
        assert all(g.dtype == torch.float32 and g.isfinite().all() for g in gradients)
        step_optimizer(method.parts, phase, gradients)
    assert types == {torch.bfloat16}
    assert sum(losses[-3:]) < sum(losses[:3]) and all(value == value for value in losses)


@pytest.mark.parametrize("name, kimg", [("inversion", 0.08), ("styleinv", 0.16)])
def test_half_a_run_and_the_rest_are_the_whole(upstream: Setting, tmp_path: Path, name: str, kimg: float) -> None:
    run, models = parse_run(f"talking_faces/{name}"), []
    for folder, lengths in (("whole", [kimg]), ("halves", [kimg / 2, kimg])):
        for length in lengths:
            options = {"precision": "bfloat16", "total_kimg": length, "tick_kimg": kimg / 4}
            setting = changed(upstream, tmp_path / folder, name, **options)
            train(run, setting)
        models.append(sha256(setting.paths.model(run)))
    assert models[0] == models[1]
    assert read_json(setting.paths.run(run) / "provenance.json")["precision"] == "bfloat16"
    # It belongs to what the state is of.
    train(run, changed(upstream, tmp_path / "halves", name, total_kimg=kimg, tick_kimg=kimg / 4))
    assert [p for p in setting.paths.run(run).iterdir() if p.name.startswith("state-")]
    assert sha256(setting.paths.model(run)) != models[0]


@pytest.mark.parametrize(
    "name, precision, reason",
    [("inversion", "tf32", "tf32 needs a GPU"), ("stylegan2", "bfloat16", "bfloat16 is for encoders")],
)
def test_what_cannot_be_is_refused(upstream: Setting, tmp_path: Path, name: str, precision: str, reason: str) -> None:
    setting = changed(upstream, tmp_path, name, precision=precision)
    with pytest.raises(UserError, match=f"training.precision.*{reason}"):
        build(parse_run(f"talking_faces/{name}"), setting, World("cpu"))
