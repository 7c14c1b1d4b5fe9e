"""Arithmetic of the StyleGAN2-ADA training recipe."""

import numpy as np


def lazy_regularization(
    lr: float, betas: tuple[float, float], interval: int | None
) -> tuple[float, tuple[float, float]]:
    """Adam's settings when its regularisation phase only runs every `interval` steps (Karras et al. 2020)."""
    if not interval:
        return lr, (float(betas[0]), float(betas[1]))
    ratio = interval / (interval + 1)
    return lr * ratio, (float(betas[0] ** ratio), float(betas[1] ** ratio))


def ada_update(p: float, sign_mean: float, target: float, batch: int, interval: int, ada_kimg: float) -> float:
    """The next augmentation probability: up when the discriminator is too sure of reals, down otherwise, never < 0.

    Computed in float32, as the probability is a float32 buffer.
    """
    adjust = np.sign(sign_mean - target) * (batch * interval) / (ada_kimg * 1000)
    return float(max(np.float32(p) + np.float32(adjust), np.float32(0)))


def total_steps(total_kimg: float, images_per_step: int) -> int:
    """Steps until at least `total_kimg` thousand images were shown."""
    return max(1, -(-round(total_kimg * 1000) // images_per_step))


def snapshot_steps(last_step: int, snapshots: int) -> frozenset[int]:
    """Steps after which a model is kept: evenly spaced, the last step (whose model is the run's own) not among them."""
    return frozenset(last_step * i // (snapshots + 1) for i in range(1, snapshots + 1)) - {0, last_step}
