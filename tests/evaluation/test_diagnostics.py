"""Motion numbers of videos whose motion is known."""

import numpy as np
import pytest
import torch

from styleinv.evaluation.diagnostics import diagnose, identity_drift, motion_energy, motion_roughness
from tests.evaluation.fakes import video


def ramp(step: int) -> torch.Tensor:
    frames = torch.arange(20)[:, None, None, None] * step
    return frames.expand(-1, 3, 16, 16).to(torch.uint8)


def test_even_motion() -> None:
    videos = torch.stack([ramp(0), ramp(2), ramp(6)])
    np.testing.assert_allclose(motion_energy(videos), [0, 2 / 255, 6 / 255])
    roughness = motion_roughness(videos)
    assert torch.isnan(roughness[0]) and roughness[1:].abs().max() < 1e-12


def test_unrelated_frames_are_rough() -> None:
    noise = torch.randint(0, 256, (2, 40, 3, 16, 16), generator=torch.manual_seed(0)).to(torch.uint8)
    assert motion_roughness(noise).mean() == pytest.approx(1.7, abs=0.1)


def test_drift() -> None:
    stays = torch.from_numpy(video(0, 16, speed=0.2)).permute(0, 3, 1, 2)
    turns = stays.clone()
    turns[8:] = 255 - turns[8:]
    drift = identity_drift(torch.stack([stays, turns]))
    assert abs(drift[0]) < 0.2 and drift[1] == pytest.approx(2, abs=0.2)


def test_means_leave_undefined_videos_out() -> None:
    numbers = diagnose(torch.stack([ramp(0), ramp(2)]))
    assert set(numbers) == {"motion_energy", "motion_roughness", "identity_drift"}
    assert numbers["motion_energy"] == pytest.approx(1 / 255) and numbers["motion_roughness"] == pytest.approx(0)
