"""Losses of style-transfer fine-tuning (paper section 3.5): adversarial, perceptual and identity."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from styleinv.methods.stylegan2.discriminator import Discriminator
from styleinv.methods.stylegan2.loss import StyleGAN2Loss
from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.nn.augment import Augment
from styleinv.nn.identity import IDLoss
from styleinv.nn.perceptual import LPIPS
from styleinv.training.adversarial import logistic_g
from styleinv.training.draws import Draws
from styleinv.training.method import Report


def tuned_parameters(G: Generator, finetune_g_res: int | None) -> list[nn.Parameter]:
    """List the parameters of the synthesis blocks from `finetune_g_res` up, or of all for None; never the mapping's.

    Raises:
        ValueError: if the generator has no such block.
    """
    resolutions = G.synthesis.block_resolutions
    first = resolutions[0] if finetune_g_res is None else finetune_g_res
    if first not in resolutions:
        raise ValueError(f"finetune_g_res {first} is no block of a generator of {G.img_resolution}x{G.img_resolution}")
    return [p for r in resolutions if r >= first for p in getattr(G.synthesis, f"b{r}").parameters()]


class StyleTransferLoss(StyleGAN2Loss):
    """The image GAN's losses, with the tuned generator held near its frozen parent.

    Args:
        G, D: the networks that are tuned.
        G_raw: the frozen parent; it draws the reference images from the same ws.
        perceptual_weight, identity_weight: of LPIPS (vgg) and of the identity loss; 0 skips the term.
        path_length: regularise path lengths; off when only the highest resolutions are tuned, as released.
        options: further arguments of `StyleGAN2Loss`.
    """

    def __init__(
        self,
        G: Generator,
        D: Discriminator,
        G_raw: Generator,
        augment: Augment | None = None,
        perceptual: LPIPS | None = None,
        identity: IDLoss | None = None,
        perceptual_weight: float = 30.0,
        identity_weight: float = 1.0,
        path_length: bool = False,
        **options: Any,
    ):
        super().__init__(G, D, augment, **options)
        self.G_raw, self.perceptual, self.identity = G_raw, perceptual, identity
        self.perceptual_weight, self.identity_weight = perceptual_weight, identity_weight
        self.path_length = path_length

    def generator_main(self, z: Tensor, draws: Draws, report: Report) -> Iterator[Tensor]:
        """Yield softplus(-D(G(ws))) plus distances of G(ws), not augmented, from the parent's image of the same ws."""
        images, ws = self.generate(z, draws)
        logits = self.logits(images, draws, "fake")
        loss = logistic_g(logits, report).mean()
        report("Loss/G/adv", loss)
        if self.perceptual_weight > 0 or self.identity_weight > 0:
            with torch.no_grad():
                # Noise is drawn anew: the references share the latents, not the random noise.
                noise = draws.generator("noise_raw")
                raw = self.G_raw.synthesis(ws, noise_mode=self.noise_mode, generator=noise)
        if self.perceptual_weight > 0:
            assert self.perceptual is not None
            perc = self.perceptual(images, raw).mean()
            report("Loss/G/perc", perc)
            loss = loss + perc * self.perceptual_weight
        if self.identity_weight > 0:
            assert self.identity is not None
            face = self.identity(images, raw)
            report("Loss/G/id", face)
            loss = loss + face * self.identity_weight
        report("Loss/G/loss", loss)
        yield loss

    def generator_reg(
        self, z: Tensor, draws: Draws, report: Report, pl_noise: Tensor | None = None
    ) -> Iterator[Tensor]:
        """Yield the path length regularisation, or no term at all."""
        if self.path_length:
            yield from super().generator_reg(z, draws, report, pl_noise)
