"""Encoders in bfloat16: near the official numbers, with statistics in float32."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from styleinv.methods.inversion.encoder import PSP
from styleinv.methods.styleinv.encoder import AdaIN
from styleinv.nn.channels_last import Conv2d
from styleinv.nn.precision import Precision, computing, why_not
from tests.golden.case import Case
from tests.golden.conftest import load_checkers

CASES = Path(__file__).parents[1] / "golden/cases"
CPU = torch.device("cpu")

# Largest distance from the official float32 result, relative to its norm. bfloat16 has 8 bits (2^-9 = 0.002 for one
# rounding) and an encoder has some fifty layers; gradients pass them twice. Those with respect to styles are
# farthest, as weights of the cases are random: their entries are small sums of large terms.
LIMITS = {
    "psp_irse50_eval64": {"w": 0.02, "block_mean": 0.01, "block_std": 0.01},
    "psp_irse50_train64": {
        "w": 0.02,
        "bn_running_mean_l2": 0.01,
        "bn_running_var_l2": 0.01,
        "param_grad_l2": 0.05,
    },
    "sinv_encoder_eval": {"y": 0.02, "y_ignore_adain": 0.02, "grad_s": 0.15, "param_grad_l2": 0.05},
    "sinv_encoder_train": {"y": 0.02, "grad_s": 0.15, "param_grad_l2": 0.05},
    "sinv_adain_resblk": {"y": 0.01, "grad_x": 0.05, "grad_s": 0.05, "param_grad_l2": 0.01},
}


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_golden_cases(name: str) -> None:
    case = Case(CASES / name)
    with computing("bfloat16", CPU):
        got = case.stored(load_checkers()[case.kind](case))
    far = {}
    for output, limit in LIMITS[name].items():
        want = case.outputs[output].astype(np.float64)
        distance = np.linalg.norm(np.asarray(got[output], np.float64) - want) / np.linalg.norm(want)
        assert distance > 0, f"{output} was not computed in bfloat16"
        if distance > limit:
            far[output] = distance
    assert not far


def test_what_is_bfloat16_and_what_float32() -> None:
    """Convolutions and what flows between units are bfloat16; statistics, AdaIN's affine map and latents float32."""
    psp = PSP(16, 8, (8, 8, 16), (2, 1)).train()
    seen: dict[type[nn.Module], set[torch.dtype]] = {}

    def see(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.setdefault(type(module), set()).add(output.dtype)

    for module in psp.modules():
        module.register_forward_hook(see)
    with computing("bfloat16", CPU):
        ws = psp(torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    assert seen[Conv2d] == {torch.bfloat16} and ws.dtype == torch.float32
    norms = [module for module in psp.modules() if isinstance(module, nn.BatchNorm2d)]
    assert all(n.running_mean is not None and n.running_mean.dtype == torch.float32 for n in norms)

    norm, x = AdaIN(8, 4), torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(1)) + 100
    style = torch.randn(2, 8, generator=torch.Generator().manual_seed(2))
    with computing("bfloat16", CPU):
        got = norm(x, style)
    assert torch.equal(got, norm(x, style))


def test_statistics_of_large_batches_do_not_stop_in_bfloat16() -> None:
    """A sum of ones in bfloat16 stops at 256."""
    norm = nn.BatchNorm2d(1).train()
    x = torch.ones(4, 1, 64, 64)
    x[:, :, ::2] = 3
    with computing("bfloat16", CPU):
        norm(x.bfloat16())
    assert norm.running_mean is not None and float(norm.running_mean) == pytest.approx(0.2)


@pytest.mark.parametrize("precision, reason", [("float32", None), ("tf32", "needs a GPU"), ("bfloat16", None)])
def test_a_cpu(precision: Precision, reason: str | None) -> None:
    assert why_not(precision, CPU) == reason


def test_old_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "V100")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert why_not("tf32", torch.device("cuda")) == "needs a GPU of compute capability 8.0, V100 has less"
    assert why_not("bfloat16", torch.device("cuda")) == "is not what V100 computes in"
