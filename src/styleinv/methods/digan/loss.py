"""DIGAN's losses: non-saturating, two discriminators with equal weights, R1 on both."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from styleinv.methods.digan.discriminator import PairDiscriminator, frames_of
from styleinv.methods.digan.generator import Generator
from styleinv.nn.diffaugment import DiffAugmentDraws, diffaugment
from styleinv.training.adversarial import (
    logistic_fake,
    logistic_g,
    logistic_real,
    report_scores,
    squared_gradient,
)
from styleinv.training.method import Report


class DIGANLoss:
    """The terms of each phase; every term is to be back-propagated before the next is asked for.

    Args:
        policy: of DiffAugment, shared by the two frames of a pair; empty for none.
        r1_gamma: of both discriminators.
    """

    def __init__(self, G: Generator, D: PairDiscriminator, policy: str, r1_gamma: float):
        self.G, self.D, self.policy, self.r1_gamma = G, D, policy, r1_gamma

    def augment(self, pairs: Tensor, draws: DiffAugmentDraws | None) -> Tensor:
        """Augment both frames of pairs [B, 7, R, R] alike; the plane of time differences stays."""
        if not self.policy:
            return pairs
        assert draws is not None
        clips = diffaugment(pairs[:, :6].unflatten(1, (2, 3)), draws, self.policy)
        return torch.cat([clips.flatten(1, 2), pairs[:, 6:]], dim=1)

    def fake(self, z: Tensor, z_motion: Tensor, times: Tensor) -> Tensor:
        """Generate pairs [B, 7, R, R] at sorted `times` [B, 2]."""
        frames = self.G(z, z_motion, times)
        pairs = frames.reshape(-1, 6, *frames.shape[2:])
        gap = (times[:, 1] - times[:, 0]).to(pairs)[:, None, None, None].expand(-1, 1, *pairs.shape[2:])
        return torch.cat([pairs, gap], dim=1)

    def _logits(self, pairs: Tensor) -> tuple[Tensor, Tensor]:
        return self.D.motion(pairs), self.D.images(frames_of(pairs))

    def generator_main(
        self, z: Tensor, z_motion: Tensor, times: Tensor, draws: DiffAugmentDraws | None, report: Report
    ) -> Iterator[Tensor]:
        motion, image = self._logits(self.augment(self.fake(z, z_motion, times), draws))
        motion_loss, image_loss = logistic_g(motion, report), F.softplus(-image)
        report("Loss/G/loss", motion_loss)
        report("Loss/G/Iloss", image_loss)
        yield motion_loss.mean() + image_loss.mean()

    def discriminator_main(
        self,
        real: Tensor,
        z: Tensor,
        z_motion: Tensor,
        times: Tensor,
        draws_fake: DiffAugmentDraws | None,
        draws_real: DiffAugmentDraws | None,
        report: Report,
    ) -> Iterator[Tensor]:
        with torch.no_grad():
            fake = self.augment(self.fake(z, z_motion, times), draws_fake)
        motion, image = self._logits(fake)
        motion_fake, image_fake = logistic_fake(motion, report), F.softplus(image)
        yield motion_fake.mean() + image_fake.mean()
        motion, image = self._logits(self.augment(real, draws_real))
        motion_real, image_real = logistic_real(motion, report), F.softplus(-image)
        report("Loss/D/loss", motion_fake.detach() + motion_real)
        report("Loss/D/Iloss", image_fake.detach() + image_real)
        yield motion_real.mean() + image_real.mean()

    def discriminator_reg(self, real: Tensor, draws: DiffAugmentDraws | None, report: Report) -> Iterator[Tensor]:
        """Yield R1: of motion with respect to all 7 channels before the augmentation, of images after it."""
        real = real.detach().requires_grad_()
        augmented = self.augment(real, draws)
        frames = frames_of(augmented)
        motion, image = self.D.motion(augmented), self.D.images(frames)
        report_scores("real", motion, report)
        penalty, image_penalty = squared_gradient(motion, real), squared_gradient(image, frames)
        report("Loss/r1_penalty", penalty)
        report("Loss/D/reg", penalty * (self.r1_gamma / 2))
        # Parameters without influence on the penalty get a gradient of zero, with which Adam goes on counting.
        nothing = (motion.sum() + image.sum()) * 0
        yield nothing + (penalty.mean() + image_penalty.mean()) * (self.r1_gamma / 2)
