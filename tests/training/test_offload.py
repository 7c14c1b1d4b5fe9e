"""Activations that wait in host memory change no number."""

import pytest
import torch
from torch import nn

from styleinv.runs import parse_run
from styleinv.stages.setting import Setting
from styleinv.stages.train import build
from styleinv.training import update
from styleinv.training.distribution import World
from styleinv.training.method import TrainingConfig
from styleinv.training.offload import moved_away, offloading


@pytest.mark.parametrize("method", ["stylegan2", "stylegan_v", "digan"])
def test_gradients_are_the_same_bit_by_bit(tiny: Setting, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Second derivatives (path length, R1) included."""
    made = build(parse_run(f"talking_faces/{method}"), tiny, World("cpu"))
    real = made.real_batch(0, made.training.group)
    moved = []
    monkeypatch.setattr(
        update, "offloading", lambda modules, kept, device: moved.append(kept) or moved_away(modules, kept)
    )
    for phase in made.phases:
        pairs = []
        for kept in (1, 0.5, 0):
            for mean in made.parts.step_means:
                mean.zero_()
            args = (made.parts, phase, [((0,), real)], 1, 0, 0, lambda name, value: None)
            pairs.append([g.clone() for g in update.accumulate(*args, kept=kept)])
        for other in pairs[1:]:
            assert all(torch.equal(a, b) for a, b in zip(pairs[0], other, strict=True))
    assert len(moved) == 3 * len(made.phases)


@pytest.mark.parametrize("kept,stay", [(0.0, 0), (0.5, 2), (1.0, 4)])
def test_a_share_of_the_saved_bytes_stays(kept: float, stay: int) -> None:
    weight = nn.Parameter(torch.ones(100))
    hooks = moved_away([nn.ParameterList([weight])], kept)
    values = [torch.full([100], float(i)) for i in range(4)]
    packed = [hooks.pack_hook(value) for value in values]
    assert sum(p[0].data_ptr() == v.data_ptr() for p, v in zip(packed, values, strict=True)) == stay
    assert all(torch.equal(hooks.unpack_hook(p), v) for p, v in zip(packed, values, strict=True))
    assert hooks.pack_hook(weight)[0] is weight


def test_groups_and_what_stays() -> None:
    eight = TrainingConfig(batch=64, total_kimg=1)
    assert (eight.group, eight.groups, eight.kept) == (8, 8, 1)
    assert TrainingConfig(batch=64, batch_gpu=2, total_kimg=1).kept == 0.25
    assert TrainingConfig(batch=64, batch_gpu=64, total_kimg=1).kept == 1
    assert TrainingConfig(batch=4, total_kimg=1).group == 4
    assert not isinstance(offloading([], 0.5, torch.device("cpu")), torch.autograd.graph.saved_tensors_hooks)
