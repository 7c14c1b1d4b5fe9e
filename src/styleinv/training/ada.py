"""Adaptive discriminator augmentation in training: its settings, its pipe, and the control of its probability."""

from typing import Literal

import numpy as np
import torch
from pydantic import Field

from styleinv.nn.augment import PIPES, AugmentPipe, PipeName
from styleinv.schema import Strict


class AdaConfig(Strict):
    """Adaptive discriminator augmentation (Karras et al. 2020; supplement F: target 0.6, pipe bgc)."""

    mode: Literal["ada", "fixed", "none"] = "ada"
    pipe: PipeName = "bgc"
    p: float = Field(0, ge=0, le=1)
    target: float = 0.6
    p_max: float = Field(1, ge=0, le=1)
    interval: int = Field(4, ge=1)
    kimg: float = Field(500, gt=0)


def build_augment(ada: AdaConfig, device: torch.device) -> AugmentPipe | None:
    """Build the augmentation pipe at its starting probability; None for mode `none`."""
    if ada.mode == "none":
        return None
    pipe = AugmentPipe(**PIPES[ada.pipe]).requires_grad_(False)
    pipe.p = ada.p
    return pipe.to(device)


def ada_update(p: float, sign_mean: float, target: float, batch: int, interval: int, ada_kimg: float) -> float:
    """Compute the next augmentation probability: up when the discriminator is too sure of reals, else down to 0.

    Computed in float32, in which the pipe holds it.
    """
    adjust = np.sign(sign_mean - target) * (batch * interval) / (ada_kimg * 1000)
    return float(max(np.float32(p) + np.float32(adjust), np.float32(0)))
