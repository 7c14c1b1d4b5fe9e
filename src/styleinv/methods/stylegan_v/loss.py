"""StyleGAN-V's losses: non-saturating, one logit per video; R1 as a mean over its frames."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from styleinv.methods.stylegan_v.generator import Generator
from styleinv.nn.augment import Augment
from styleinv.nn.video_discriminator import VideoDiscriminator
from styleinv.training.adversarial import logistic_d, logistic_g, report_scores, squared_gradient
from styleinv.training.method import Report


@dataclass(frozen=True)
class Fake:
    """Inputs of one generated micro-batch: z [B, z_dim], motion noise [B, L, z_dim], times [B, F], augmentation."""

    z: Tensor
    motion_z: Tensor
    t: Tensor
    augment: torch.Generator | None = None


class StyleGANVLoss:
    """The terms of each phase; every term is to be back-propagated before the next is asked for."""

    def __init__(self, G: Generator, D: VideoDiscriminator, augment: Augment | None, r1_gamma: float):
        self.G, self.D, self.augment, self.r1_gamma = G, D, augment, r1_gamma

    def _score(self, frames: Tensor, t: Tensor, augment: torch.Generator | None) -> Tensor:
        # One augmentation for all frames of a video.
        clips = frames.reshape(t.shape[0], -1, *frames.shape[2:])
        return self.D(clips if self.augment is None else self.augment(clips, augment), t)

    def generator_main(self, fake: Fake, report: Report) -> Iterator[Tensor]:
        logits = self._score(self.G(fake.z, fake.t, fake.motion_z), fake.t, fake.augment)
        loss = logistic_g(logits, report)
        report("Loss/G/loss", loss)
        yield loss.mean()

    def discriminator_main(
        self, fake: Fake, real: Tensor, real_t: Tensor, augment: torch.Generator | None, report: Report
    ) -> Iterator[Tensor]:
        """real [B, F, 3, R, R] at times real_t [B, F]."""
        with torch.no_grad():
            frames = self.G(fake.z, fake.t, fake.motion_z)
        yield from logistic_d(
            lambda: self._score(frames, fake.t, fake.augment),
            lambda: self._score(real.flatten(0, 1), real_t, augment),
            report,
        )

    def discriminator_reg(
        self, real: Tensor, real_t: Tensor, augment: torch.Generator | None, report: Report
    ) -> Iterator[Tensor]:
        """R1 of every frame, as a mean over the frames of a video."""
        frames = real.flatten(0, 1).detach().requires_grad_()
        logits = self._score(frames, real_t, augment)
        report_scores("real", logits, report)
        penalty = squared_gradient(logits, frames)
        report("Loss/r1_penalty", penalty)
        per_video = penalty.unflatten(0, real_t.shape).mean(dim=1) * (self.r1_gamma / 2)
        report("Loss/D/reg", per_video)
        yield (logits * 0 + per_video).mean()
