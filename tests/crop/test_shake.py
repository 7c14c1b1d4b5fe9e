"""Shake of paths whose shake is known."""

import numpy as np
import pytest

from styleinv.crop import shake

STILL = np.tile([120.0, 90.0, 64.0, 0.0], (60, 1))  # a square of 128 pixels


def test_smooth_motion_does_not_jerk() -> None:
    moving = STILL + np.arange(60)[:, None] * [1.5, -0.7, 0, 0]
    growing = STILL * [1, 1, 0, 0] + np.outer(64 * 1.01 ** np.arange(60), [0, 0, 1, 0])
    for squares in (STILL, moving, growing):
        assert all(value < 1e-9 for value in shake.jerkiness(squares, 256).values())


def test_jerks_are_in_output_pixels() -> None:
    flicker = np.where(np.arange(60) % 2, 1.0, -1.0)
    shaky = STILL + flicker[:, None] * [0.5, 0, 0, 0]
    found = shake.jerkiness(shaky, 256)  # second differences of +-0.5 are +-2; the output shows two pixels for one
    assert found["centre_px"] == pytest.approx(4) and found["size_px"] == found["roll_deg"] == 0
    assert shake.jerkiness(shaky * 3, 256)["centre_px"] == pytest.approx(4)  # a larger face, the same picture
    assert shake.jitter(shaky, STILL, 256)["centre_px"] == pytest.approx(2)
    breathing = STILL * np.stack([np.ones(60), np.ones(60), 1 + 0.005 * flicker, np.ones(60)], 1)
    assert shake.jitter(breathing, STILL, 256)["size_px"] == pytest.approx(2.56, rel=1e-3)
    angle = np.radians(0.1 * flicker)
    rolling = np.concatenate([STILL[:, :2], 64 * np.stack([np.cos(angle), np.sin(angle)], 1)], 1)
    assert shake.jitter(rolling, STILL, 256)["roll_deg"] == pytest.approx(0.2)


def test_roll_may_pass_half_a_turn() -> None:
    angle = np.linspace(3.0, 3.4, 60)
    turning = np.concatenate([STILL[:, :2], 64 * np.stack([np.cos(angle), np.sin(angle)], 1)], 1)
    assert shake.jerkiness(turning, 256)["roll_deg"] < 1e-9


@pytest.mark.parametrize("rate, share", [(1.0, 0.0), (9.0, 1.0)])
def test_share_of_fast_motion(rate: float, share: float) -> None:
    time = np.arange(150) / 25
    wave = np.sin(2 * np.pi * rate * time)
    squares = np.tile(STILL[0], (150, 1)) + np.stack([wave + 3 * time, 0 * time, 0.1 * wave, 0 * time], 1)
    found = shake.hf_ratio(squares, 256, 25)
    assert found["centre_px"] == pytest.approx(share, abs=0.01) and found["size_px"] == pytest.approx(share, abs=0.01)
    assert found["roll_deg"] is None  # nothing rolls
    assert (
        set(shake.hf_ratio(squares[:15], 256, 25).values()) == set(shake.hf_ratio(squares, 256, 10).values()) == {None}
    )


def test_fidelity_of_consecutive_frames() -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (4, 8, 8, 3), dtype=np.uint8)
    fidelity = shake.FrameFidelity()
    fidelity.add(frames[0])
    assert fidelity.value is None
    for frame in frames[1:]:
        fidelity.add(frame)
    steps = np.square(np.diff(frames.astype(float), axis=0)).mean((1, 2, 3))
    assert fidelity.value == pytest.approx(np.mean(10 * np.log10(255**2 / steps)))
    same = shake.FrameFidelity()
    same.add(frames[0])
    same.add(frames[0])
    assert same.value == pytest.approx(100)


def test_summary_and_short_clips() -> None:
    assert (
        set(shake.jerkiness(STILL[:2], 256).values()) == {None} == set(shake.jitter(STILL[:1], STILL[:1], 256).values())
    )
    clips = [{"a": {"x": float(i), "y": None}, "b": 2.0} for i in range(11)] + [{"b": None}]
    assert shake.summary(clips) == {"a": {"x": {"median": 5.0, "p95": 9.5}}, "b": {"median": 2.0, "p95": 2.0}}
    assert shake.summary([]) == {}
    assert shake.rounded({"a": 1.23456789, "b": {"c": 2, "d": None}}) == {"a": 1.23457, "b": {"c": 2, "d": None}}
