"""Losses of the image GAN (Karras et al. 2020): non-saturating logistic, path length, R1."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from styleinv.methods.stylegan2.discriminator import Discriminator
from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.nn import groups
from styleinv.nn.augment import Augment
from styleinv.nn.host import to_device
from styleinv.rng import standard_normal
from styleinv.training.adversarial import logistic_d, logistic_g, r1, report_scores
from styleinv.training.draws import Draws
from styleinv.training.method import Report


class StyleGAN2Loss:
    """The terms of each phase, each a mean over the group.

    Args:
        G, D: the networks.
        augment: (images, generator) -> images, applied to reals and fakes in every phase; None for none.
        pl_mean: running mean of path lengths (a 0-dim tensor that is replaced by `path_length`).
    """

    def __init__(
        self,
        G: Generator,
        D: Discriminator,
        augment: Augment | None = None,
        style_mixing_prob: float = 0.9,
        r1_gamma: float = 10,
        pl_batch_shrink: int = 2,
        pl_decay: float = 0.01,
        pl_weight: float = 2,
        noise_mode: str = "random",
    ):
        self.G, self.D, self.augment = G, D, augment
        self.style_mixing_prob, self.r1_gamma = style_mixing_prob, r1_gamma
        self.pl_batch_shrink, self.pl_decay, self.pl_weight = pl_batch_shrink, pl_decay, pl_weight
        self.noise_mode = noise_mode
        self.pl_mean = torch.zeros([], device=G.mapping.w_avg.device)

    def generate(self, z: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Generate images and their ws [N, num_ws, w_dim] from z [N, z_dim]."""
        ws = self.latents(z, draws)
        return self.images_of(ws, draws), ws

    def latents(self, z: Tensor, draws: Draws) -> Tensor:
        """Map z [N, z_dim] to ws [N, num_ws, w_dim], mixing styles at one cut for a group."""
        ws = self.G.mapping(z)
        layers = ws.shape[1]
        cuts = [self._cut(group, layers) for group in draws.each]
        if min(cuts) < layers:
            other = self.G.mapping(draws.randn("mixed_z", *z.shape, device=z.device), skip_w_avg_update=True)
            own = to_device(torch.arange(layers) < torch.tensor(cuts)[:, None], z.device)
            ws = torch.where(own.repeat_interleave(len(z) // len(cuts), dim=0)[:, :, None], ws, other)
        return ws

    def images_of(self, ws: Tensor, draws: Draws) -> Tensor:
        """Generate images from ws [N, num_ws, w_dim] with the noise of these draws."""
        return self.G.synthesis(ws, noise_mode=self.noise_mode, generator=draws.generator("noise"))

    def _cut(self, draws: Draws, layers: int) -> int:
        """Draw the first layer of a group that takes another style; `layers` for none."""
        if self.style_mixing_prob > 0:
            rng = draws.python("style_mixing")
            if rng.random() < self.style_mixing_prob:
                return rng.randint(1, layers - 1)
        return layers

    def logits(self, images: Tensor, draws: Draws, purpose: str) -> Tensor:
        """Augment and score images: [N, 1]."""
        if self.augment is not None:
            images = self.augment(images, draws.generator(f"augment_{purpose}"))
        return self.D(images)

    def generator_main(self, z: Tensor, draws: Draws, report: Report) -> Iterator[Tensor]:
        """Yield softplus(-D(G(z)))."""
        images, _ = self.generate(z, draws)
        logits = self.logits(images, draws, "fake")
        loss = logistic_g(logits, report)
        report("Loss/G/loss", loss)
        yield loss.mean()

    def generator_reg(
        self, z: Tensor, draws: Draws, report: Report, pl_noise: Tensor | None = None
    ) -> Iterator[Tensor]:
        """Yield the path length regularisation on the first 1 / pl_batch_shrink of each group of z.

        The gradient also flows through the freshly updated mean, as released.
        """
        of_groups = groups.split(z)
        z = of_groups[:, : max(1, of_groups.shape[1] // self.pl_batch_shrink)].flatten(0, 1)
        ws = self.latents(z, draws)
        if not ws.requires_grad:  # of a mapping that stays fixed
            ws.requires_grad_()
        images = self.images_of(ws, draws)
        if pl_noise is None:
            pl_noise = standard_normal(images.shape, draws.generator("path_length"), images.device)
        pl_noise = pl_noise / math.sqrt(images.shape[2] * images.shape[3])
        (jacobian,) = torch.autograd.grad((images * pl_noise).sum(), ws, create_graph=True)
        lengths = jacobian.square().sum(dim=2).mean(dim=1).sqrt()
        # Each group holds its lengths to the mean as it has moved it; what is left is the mean of these.
        mean = self.pl_mean.lerp(groups.mean(lengths), self.pl_decay)
        self.pl_mean.copy_(mean.detach().mean())
        penalty = (lengths - mean).square()
        report("Loss/pl_penalty", penalty)
        report("Loss/G/reg", penalty * self.pl_weight)
        yield (images[:, 0, 0, 0] * 0 + penalty * self.pl_weight).mean()

    def discriminator_main(self, z: Tensor, real: Tensor, draws: Draws, report: Report) -> Iterator[Tensor]:
        """Yield softplus(D(G(z))), then softplus(-D(real))."""
        yield from logistic_d(
            lambda: self.logits(self.generate(z, draws)[0], draws, "fake"),
            lambda: self.logits(real, draws, "real"),
            report,
        )

    def discriminator_reg(self, real: Tensor, draws: Draws, report: Report) -> Iterator[Tensor]:
        """Yield the R1 penalty, with respect to the images before their augmentation."""
        real = real.detach().requires_grad_()
        logits = self.logits(real, draws, "real")
        report_scores("real", logits, report)
        yield (logits[:, 0] * 0 + r1(logits, real, self.r1_gamma, report)).mean()
