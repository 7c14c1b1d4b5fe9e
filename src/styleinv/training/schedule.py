"""Steps and optimiser settings of the StyleGAN2-ADA training recipe."""

from typing import Any

import torch


def lazy_regularization(
    lr: float, betas: tuple[float, float], interval: int | None
) -> tuple[float, tuple[float, float]]:
    """Adapt Adam's settings to a regularisation phase that runs every `interval` steps only (Karras et al. 2020)."""
    if not interval:
        return lr, (float(betas[0]), float(betas[1]))
    ratio = interval / (interval + 1)
    return lr * ratio, (float(betas[0] ** ratio), float(betas[1] ** ratio))


def adam(params: Any, lr: float, betas: tuple[float, float], interval: int | None = None) -> torch.optim.Adam:
    """Make Adam with the settings of lazy regularisation; its fused form is the fastest on CPU and GPU alike."""
    lr, betas = lazy_regularization(lr, betas, interval)
    return torch.optim.Adam(params, lr=lr, betas=betas, eps=1e-8, fused=True)


def total_steps(total_kimg: float, images_per_step: int) -> int:
    """Count the steps until at least `total_kimg` thousand images were shown."""
    return max(1, -(-round(total_kimg * 1000) // images_per_step))


def snapshot_steps(last_step: int, snapshots: int) -> frozenset[int]:
    """Choose the steps after which a model is kept: evenly spaced, without the last, whose model is the run's own."""
    return frozenset(last_step * i // (snapshots + 1) for i in range(1, snapshots + 1)) - {0, last_step}
