"""MoCoGAN-HD's in-domain losses: relativistic least squares over patches, a gradient penalty, mutual information."""

from collections.abc import Sequence

import torch
from torch import Tensor

from styleinv.methods.mocogan_hd.discriminator import PatchDiscriminator
from styleinv.nn import groups

GP_WEIGHT = 10.0


def relativistic(a: Sequence[Tensor], b: Sequence[Tensor], target: float) -> Tensor:
    """Compute the sum over scales of mean((a - mean b - target)^2); the mean of b is over its whole map and group."""
    return torch.stack([(p - groups.mean(q) - target).square().mean() for p, q in zip(a, b, strict=True)]).sum()


def discriminator_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Compute the real and the fake part, each to be halved: reals 1 above the mean fake, fakes not above reals."""
    return relativistic(real, fake, 1), relativistic(fake, real, 0)


def generator_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Compute the generator's loss: fakes 1 above the mean real, reals not above fakes."""
    return 0.5 * (relativistic(fake, real, 1) + relativistic(real, fake, 0))


def gradient_penalty(D: PatchDiscriminator, real: Tensor, fake: Tensor, alpha: Tensor) -> Tensor:
    """Compute 10 / num_D times the sum over scales of mean (|gradient| - 1)^2, at alpha real + (1 - alpha) fake.

    The norm is taken per pixel and frame, over the channels only, as released.
    """
    x = (alpha * real + (1 - alpha) * fake).detach().requires_grad_()
    total = x.new_zeros([])
    for score in D.scores(x):
        (gradient,) = torch.autograd.grad(score.sum(), x, create_graph=True)
        total = total + (gradient.norm(dim=1) - 1).square().mean()
    return total * (GP_WEIGHT / D.num_D)


def clip_input(frames: Tensor) -> Tensor:
    """Put frame 0 of frames [B, T, 3, H, W] beside each of the others: [B, 6, T - 1, H, W]."""
    first = frames[:, :1].expand(-1, frames.shape[1] - 1, -1, -1, -1)
    return torch.cat([first, frames[:, 1:]], dim=2).transpose(1, 2)


def image_input(frames: Tensor, k: int) -> Tensor:
    """Put frame 0 beside frame k: [B, 6, H, W]."""
    return torch.cat([frames[:, 0], frames[:, k]], dim=1)
