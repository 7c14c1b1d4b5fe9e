"""train --verify-resume: N + M steps in one go and N steps, kill -9, M steps end in the same bits."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import load_file

from styleinv.errors import UserError
from styleinv.files import write_text
from styleinv.paths import Paths
from styleinv.runs import Run
from styleinv.schema import dump_yaml, merge, read_yaml
from styleinv.stages.setting import Setting
from styleinv.stages.train import build, inputs_of
from styleinv.training.checkpoint import read_progress
from styleinv.training.distribution import World


class Different(UserError):
    """The two trainings do not agree (exit code 1)."""

    exit_code = 1


def verify_resume(run: Run, setting: Setting, steps: int) -> str:
    """Train a run twice for some steps in temporary folders, once killed half-way, and compare all state bit for bit.

    Returns:
        One line with what was compared.

    Raises:
        UserError: for missing inputs and several processes.
        Different: naming the tensors that differ, with the largest difference.
    """
    if steps < 4:
        raise UserError(f"{steps} steps have no middle", field="--verify-resume", cure="Give at least 4.")
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise UserError("works with one process", field="--verify-resume", cure="Start it without torchrun.")
    setting.paths.root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".verify-", dir=setting.paths.root) as temporary:
        scale = _short_scale(run, setting, Path(temporary), steps)
        whole, parts = (_folder(run, setting, Path(temporary) / name) for name in ("whole", "parts"))
        _train(run, scale, whole)
        killed = _kill_half_way(run, scale, parts, steps)
        _train(run, scale, parts)
        compared = compare_states(run, whole, parts)
    return f"{run}: {compared}; {steps} steps equal {killed} steps, kill -9, and the rest"


def _short_scale(run: Run, setting: Setting, folder: Path, steps: int) -> Path:
    images = _images_per_step(run, setting) / 1000
    short = {"total_kimg": steps * images, "tick_kimg": 2 * images, "checkpoint_minutes": 0, "snapshot_ticks": 10**6}
    shutil.copytree(setting.config.parent, folder / "config")
    scale = folder / "config" / setting.config.name
    changed = merge(read_yaml(scale), {"snapshots": 0, "methods": {run.method: {"training": short}}})
    write_text(scale, dump_yaml(changed))
    return scale


def _images_per_step(run: Run, setting: Setting) -> int:
    method = build(run, setting, World(setting.scale.device))
    return method.training.batch * method.images_per_sample


def _folder(run: Run, setting: Setting, root: Path) -> Paths:
    for path in inputs_of(run, setting):
        link = root / path.relative_to(setting.paths.root)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.absolute())
    if setting.paths.weights.exists():
        (root / setting.paths.weights.relative_to(setting.paths.root)).symlink_to(setting.paths.weights.absolute())
    return Paths(root)


def _start(run: Run, scale: Path, paths: Paths) -> subprocess.Popen:
    command = [sys.executable, "-m", "styleinv.cli", "train", str(run), "--config", str(scale)]
    return subprocess.Popen([*command, "--results", str(paths.root)], stderr=subprocess.PIPE, text=True)


def _train(run: Run, scale: Path, paths: Paths) -> None:
    process = _start(run, scale, paths)
    _, stderr = process.communicate()
    if process.returncode:
        raise UserError(f"does not train: {stderr.strip().splitlines()[-1]}", file=str(run), cure="Mend that first.")


def _kill_half_way(run: Run, scale: Path, paths: Paths, steps: int) -> int:
    state = paths.state(run) / "latest.safetensors"
    process = _start(run, scale, paths)
    while process.poll() is None and _step(state) < steps // 2:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    reached = read_progress(state)["step"] if state.exists() else 0
    if not 0 < reached < steps:
        raise UserError(f"was killed at step {reached} of {steps}", file=str(run), cure="Verify more steps.")
    return reached


def _step(state: Path) -> int:
    # The training replaces the file now and then, perhaps between a look at its size and one at its content.
    with suppress(UserError, RuntimeError, ValueError):
        return read_progress(state)["step"] if state.exists() else 0
    return 0


def compare_states(run: Run, whole: Paths, parts: Paths) -> str:
    """Compare the states of two trainings of one run and say what was compared.

    Raises:
        Different: naming what they do not.
    """
    left, right = (load_file(p.state(run) / "latest.safetensors") for p in (whole, parts))
    if left.keys() != right.keys():
        raise Different(
            f"have other tensors: {sorted(left.keys() ^ right.keys())[:3]}",
            file=str(run),
            cure="Something in its method depends on more than seed and step: docs/adding-a-method.md.",
        )
    worst = {n: _difference(left[n], right[n]) for n in left if not torch.equal(left[n], right[n])}
    if worst:
        name = max(worst, key=lambda n: worst[n])
        raise Different(
            f"{len(worst)} of {len(left)} tensors differ after a kill, by up to {worst[name]:.3g} ({name})",
            file=str(run),
            cure="On a GPU the order of atomic additions is not fixed; bit equality is promised on CPUs.",
        )
    curves = [pd.read_csv(p.curves(run)).drop(columns="seconds") for p in (whole, parts)]
    if not curves[0].equals(curves[1]):
        raise Different(
            "the curves differ after a kill",
            file=str(run),
            cure="Something in its method depends on more than seed and step: docs/adding-a-method.md.",
        )
    return f"{len(left)} tensors and {len(curves[0])} rows of curves are bit-identical"


def _difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a.double() - b.double()).abs().max()) if a.shape == b.shape else float("inf")
