"""The known numbers hold here, and a wrong one is seen; official detectors are checked where they are."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from styleinv.data import weights
from styleinv.errors import UserError
from styleinv.evaluation import selftest as module
from styleinv.evaluation.selftest import Check, selftest
from styleinv.files import sha256
from styleinv.stages import upkeep


class ImageNet(torch.nn.Module):
    def forward(self, x: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        return x.float().mean([2, 3]).repeat(1, 683)[:, :2048] * (1.0 if return_features else 0.0)


class ClipNet(torch.nn.Module):
    """Keeps the contract of I3D's flags; black and white differ by sqrt(distance) in one feature."""

    def __init__(self, distance: float = 153.11, width: int = 400, mixes: bool = False, stretch: float = 1.0):
        super().__init__()
        self.root, self.width, self.mixes, self.stretch = distance**0.5, width, mixes, stretch

    def forward(
        self, x: torch.Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> torch.Tensor:
        y = x.float() / 127.5 - 1 if rescale else x.float()
        y = y * self.stretch if resize else y
        features = y.std(dim=[1, 2, 3, 4], keepdim=False)[:, None].repeat(1, self.width)
        features[:, 0] = y.mean(dim=[1, 2, 3, 4]) * self.root / 2
        return features * len(x) if self.mixes else features


def fetched(folder: Path, monkeypatch: pytest.MonkeyPatch, **networks: torch.nn.Module) -> None:
    """Put networks in the place of the official files, pinned by their own hash."""
    monkeypatch.setenv("STYLEINV_WEIGHTS", str(folder))
    monkeypatch.setattr(module, "BLACK_AND_WHITE", {16: 153.11})
    for name, network in networks.items():
        path = folder / weights.WEIGHTS[name].file_name
        torch.jit.script(network).save(str(path))
        pinned = replace(weights.WEIGHTS[name], sha256=sha256(path), size=None)
        monkeypatch.setitem(weights.WEIGHTS, name, pinned)


def test_known_numbers_without_fetched_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLEINV_WEIGHTS", str(tmp_path))
    lines = list(selftest())
    assert len([line for line in lines if isinstance(line, Check) and line.passed]) == 4
    said = [line for line in lines if isinstance(line, str)]
    assert [line.split(": ")[:2] for line in said] == [["inception", "not checked"], ["i3d", "not checked"]]
    assert "has not been fetched. Run `styleinv weights fetch inception`" in said[0]
    assert list(upkeep.selftest())[4:] == lines[4:]


def test_a_wrong_number_fails() -> None:
    assert Check("x", 1.0, 1.05, 0.1).passed and not Check("x", 1.0, 1.2, 0.1).passed


def test_fetched_detectors_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched(tmp_path, monkeypatch, inception=ImageNet(), i3d=ClipNet())
    lines = list(upkeep.selftest())
    assert sum(line.endswith("ok") for line in lines) == 4 + 3 + 6 and not any("WRONG" in line for line in lines)
    assert "is the pinned one" in lines[4] and "its known answer is missing" in lines[8]
    assert lines[-1].startswith("i3d: FVD of black and white, 16 frames") and "expected 153.11" in lines[-1]


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"distance": 570.0}, "FVD of black and white, 16 frames"),
        ({"width": 399}, "length of a feature"),
        ({"mixes": True}, "one by one"),
        ({"stretch": 1.01}, "resize of 224 pixels"),
    ],
)
def test_a_detector_that_is_not_what_it_should_be_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict, line: str
) -> None:
    fetched(tmp_path, monkeypatch, i3d=ClipNet(**wrong))
    said: list[str] = []
    with pytest.raises(UserError, match="gives wrong numbers here"):
        said.extend(upkeep.selftest())
    checks = [check for check in module.official("video", "i3d") if isinstance(check, Check) and not check.passed]
    assert any(line in check.name for check in checks)


def test_another_file_is_refused_before_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched(tmp_path, monkeypatch, i3d=ClipNet())
    torch.jit.script(ClipNet(width=7)).save(str(tmp_path / weights.WEIGHTS["i3d"].file_name))
    with pytest.raises(UserError, match="i3d_torchscript.pt: has SHA-256"):
        list(selftest())
