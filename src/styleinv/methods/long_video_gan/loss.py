"""Super-resolution losses: on clips of both resolutions, augmented together, the low one mostly hidden."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from styleinv.methods.long_video_gan.discriminator import SuperResDiscriminator
from styleinv.methods.long_video_gan.generator import SuperResGenerator
from styleinv.nn.augment import Augment
from styleinv.nn.groups import Source
from styleinv.nn.host import to_device
from styleinv.rng import drawn_by_group
from styleinv.training.adversarial import logistic_d, logistic_g, r1
from styleinv.training.method import Report


@dataclass(frozen=True)
class Randomness:
    """Random generators of the corruption of low-resolution clips, of the augmentation, and of hiding them."""

    corrupt: Source | None = None
    augment: Source | None = None
    hide: Source | None = None


class SuperResLoss:
    """The terms of each phase; every term is to be back-propagated before the next is asked for.

    Args:
        corrupt: spoils low-resolution clips [N, 3, T, h, w], so that the network copes with generated ones.
        augment: augments both resolutions, which follow each other in time.
        lr_cond_prob: how often the discriminator sees the low resolution, per clip.
        magnitude_beta: decay of the generator's running statistics, which move while the discriminator learns, once a
            step.
    """

    def __init__(
        self,
        G: SuperResGenerator,
        D: SuperResDiscriminator,
        corrupt: Augment | None,
        augment: Augment | None,
        lr_cond_prob: float,
        r1_gamma: float,
        magnitude_beta: float = 0.999,
    ):
        self.G, self.D, self.corrupt, self.augment = G, D, corrupt, augment
        self.lr_cond_prob, self.r1_gamma, self.magnitude_beta = lr_cond_prob, r1_gamma, magnitude_beta

    def _corrupted(self, low: Tensor, random: Randomness) -> Tensor:
        return low if self.corrupt is None else self.corrupt(low, random.corrupt)

    def _inner(self, low: Tensor) -> Tensor:
        context = self.G.cond_context
        return low[:, :, context : low.shape[2] - context]

    def _score(self, low: Tensor, high: Tensor, random: Randomness) -> Tensor:
        both = torch.cat([self.D.enlarge(low), high], dim=2)
        if self.augment is not None:
            both = self.augment(both, random.augment)
        low, high = both.chunk(2, dim=2)
        drawn = drawn_by_group(lambda n, generator: torch.rand([n], generator=generator), len(low), random.hide)
        visible = drawn < self.lr_cond_prob
        return self.D(low * to_device(visible, low.device).to(low.dtype)[:, None, None, None, None], high)

    def generator_main(self, z: Tensor, low: Tensor, random: Randomness, report: Report) -> Iterator[Tensor]:
        """Yield softplus(-D(fake)) for z [N, z_dim] and low [N, 3, T + 2 context, h, w]."""
        low = self._corrupted(low, random)
        logits = self._score(self._inner(low), self.G(z, low), random)
        loss = logistic_g(logits, report)
        report("Loss/G/loss", loss)
        yield loss.mean()

    def discriminator_main(
        self, z: Tensor, low: Tensor, high: Tensor, fake: Randomness, real: Randomness, report: Report
    ) -> Iterator[Tensor]:
        """Yield both logistic terms for z [N, z_dim], low [N, 3, T + 2 context, h, w] and high [N, 3, T, H, W]."""
        low_fake, low_real = self._corrupted(low, fake), self._corrupted(low, real)
        with torch.no_grad():
            clips = self.G(z, low_fake, self.magnitude_beta)
        yield from logistic_d(
            lambda: self._score(self._inner(low_fake), clips, fake),
            lambda: self._score(self._inner(low_real), high, real),
            report,
        )

    def discriminator_reg(self, low: Tensor, high: Tensor, random: Randomness, report: Report) -> Iterator[Tensor]:
        """Yield R1 with respect to high [N, 3, T, H, W] alone, for low [N, 3, T, h, w]."""
        low, high = self._corrupted(low, random), high.detach().requires_grad_()
        yield r1(self._score(low, high, random), high, self.r1_gamma, report).mean()
