"""The adversarial terms that all GANs here share, with what they report: non-saturating logistic losses and R1.

Sources: Goodfellow et al. 2014 (non-saturating loss), Mescheder et al. 2018 (R1); both as in StyleGAN2.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from styleinv.training.method import Report


def report_scores(kind: Literal["real", "fake"], logits: Tensor, report: Report) -> None:
    """Report scores and their signs; the signs of real samples steer the adaptive augmentation."""
    report(f"Loss/scores/{kind}", logits)
    report(f"Loss/signs/{kind}", logits.sign())


def logistic_g(logits: Tensor, report: Report) -> Tensor:
    """Compute the generator's softplus(-D(fake)) of every sample, in the shape of the logits."""
    report_scores("fake", logits, report)
    return F.softplus(-logits)


def logistic_fake(logits: Tensor, report: Report) -> Tensor:
    """Compute the discriminator's softplus(D(fake)) of every sample, in the shape of the logits."""
    report_scores("fake", logits, report)
    return F.softplus(logits)


def logistic_real(logits: Tensor, report: Report) -> Tensor:
    """Compute the discriminator's softplus(-D(real)) of every sample, in the shape of the logits."""
    report_scores("real", logits, report)
    return F.softplus(-logits)


def logistic_d(fake: Callable[[], Tensor], real: Callable[[], Tensor], report: Report) -> Iterator[Tensor]:
    """Yield the discriminator's term of generated samples, then that of real ones; `Loss/D/loss` is their sum.

    Args:
        fake, real: compute the logits. Real samples are scored after the first term was back-propagated, so that only
            one graph is held at a time.
    """
    of_fake = logistic_fake(fake(), report)
    yield of_fake.mean()
    of_real = logistic_real(real(), report)
    report("Loss/D/loss", of_fake.detach() + of_real)
    yield of_real.mean()


def squared_gradient(logits: Tensor, inputs: Tensor, each: int = 1) -> Tensor:
    """Compute |d D(x) / d x|^2 for every sample x of `inputs` [N, ...], which must require gradients: [N].

    Args:
        each: how many leading dimensions count the samples, for example 2 for every frame of clips [N, F, ...].
    """
    (gradient,) = torch.autograd.grad(logits.sum(), inputs, create_graph=True)
    return gradient.square().flatten(each).sum(dim=each)


def r1(logits: Tensor, inputs: Tensor, gamma: float, report: Report) -> Tensor:
    """Compute the R1 penalty of every sample, gamma / 2 * `squared_gradient`: [N]."""
    penalty = squared_gradient(logits, inputs)
    report("Loss/r1_penalty", penalty)
    weighted = penalty * (gamma / 2)
    report("Loss/D/reg", weighted)
    return weighted
