"""Low-resolution losses: non-saturating, one logit per clip; R1 on the clip before its augmentation."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from styleinv.methods.long_video_gan_lr.discriminator import LowResDiscriminator
from styleinv.methods.long_video_gan_lr.generator import LowResGenerator
from styleinv.nn.augment import Augment
from styleinv.nn.groups import Source
from styleinv.training.adversarial import logistic_d, logistic_g, r1
from styleinv.training.method import Report


@dataclass(frozen=True)
class LowResInputs:
    """Inputs of generated clips: noise, first frame [N] of each clip within what is generated, augmentation."""

    noise: Tensor
    start: Tensor
    augment: Source | None = None


class LowResLoss:
    """The terms of each phase; every term is to be back-propagated before the next is asked for.

    Args:
        frames: of a clip.
        extra: more frames that are generated, of which a random window is used, so that the discriminator cannot tell
            where in the generator's hierarchy a frame stands.
        magnitude_beta: decay of the generator's running magnitudes, which move while the discriminator learns,
            once a step.
    """

    def __init__(
        self,
        G: LowResGenerator,
        D: LowResDiscriminator,
        augment: Augment | None,
        r1_gamma: float,
        frames: int,
        extra: int,
        magnitude_beta: float = 0.999,
    ):
        self.G, self.D, self.augment, self.r1_gamma = G, D, augment, r1_gamma
        self.frames, self.extra, self.magnitude_beta = frames, extra, magnitude_beta

    def _clips(self, fake: LowResInputs, beta: float) -> Tensor:
        clips = self.G(fake.noise, self.frames + self.extra, beta)
        return torch.stack([c[:, s : s + self.frames] for c, s in zip(clips, fake.start.tolist(), strict=True)])

    def _score(self, clips: Tensor, augment: Source | None) -> Tensor:
        return self.D(clips if self.augment is None else self.augment(clips, augment))

    def generator_main(self, fake: LowResInputs, report: Report) -> Iterator[Tensor]:
        logits = self._score(self._clips(fake, 1), fake.augment)
        loss = logistic_g(logits, report)
        report("Loss/G/loss", loss)
        yield loss.mean()

    def discriminator_main(
        self, fake: LowResInputs, real: Tensor, augment: Source | None, report: Report
    ) -> Iterator[Tensor]:
        """Yield both logistic terms for real clips [N, 3, T, H, W]."""
        with torch.no_grad():
            clips = self._clips(fake, self.magnitude_beta)
        yield from logistic_d(lambda: self._score(clips, fake.augment), lambda: self._score(real, augment), report)

    def discriminator_reg(self, real: Tensor, augment: Source | None, report: Report) -> Iterator[Tensor]:
        real = real.detach().requires_grad_()
        yield r1(self._score(real, augment), real, self.r1_gamma, report).mean()
