"""Losses of the cross-domain mode, where motion comes from other videos than the generator's images.

The image discriminator sees no real images: first frames, which the frozen generator makes, stand for them.
"""

import torch.nn.functional as F
from torch import Tensor

from styleinv.methods.mocogan_hd.contrastive import Memory
from styleinv.methods.mocogan_hd.image_discriminator import ImageDiscriminator

CONTRASTIVE_WEIGHT = 2.0


def discriminator_terms(
    D: ImageDiscriminator, memory: Memory, first: tuple[Tensor, Tensor], later: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """(hinge of first frames, hinge of later ones, contrastive); the last counts `CONTRASTIVE_WEIGHT` times.

    Args:
        first, later: two views each of frames [B, 3, R, R]. The first view is scored.
    """
    # Each forward moves the spectral norms, so their order counts.
    (of_first, a), (_, b) = (D(view) for view in first)
    (of_later, c), (_, d) = (D(view) for view in later)
    contrast = memory.loss((a, b), (c, d))
    return F.relu(1 - of_first).mean(), F.relu(1 + of_later).mean(), contrast


def generator_terms(D: ImageDiscriminator, first: Tensor, later: Tensor) -> tuple[Tensor, Tensor]:
    """(minus the score of later frames, minus the cosine of their projections with those of first frames)."""
    score, of_later = D(later)
    of_first = D.project(first)
    return -score.mean(), -F.cosine_similarity(of_later, of_first, dim=1).mean()
