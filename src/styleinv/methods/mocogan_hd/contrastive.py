"""The contrastive loss of the cross-domain mode: two views of an image against a memory of others."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TEMPERATURE = 0.07


class Memory(nn.Module):
    """Rings of earlier projections, one of real images and one of generated ones.

    Args:
        size: entries; only as many are used as are a multiple of `batch`.
        dim: of a projection.
        batch: images per step over all processes.
    """

    q_real: Tensor
    q_fake: Tensor
    q_ptr: Tensor

    def __init__(self, size: int, dim: int, batch: int):
        super().__init__()
        self.used = size // batch * batch
        # Normalised over the entries, not over each entry's dimensions, as released.
        for name in ("q_real", "q_fake"):
            self.register_buffer(name, F.normalize(torch.randn([size, dim]), dim=0))
        self.register_buffer("q_ptr", torch.zeros([1], dtype=torch.int64))

    @torch.no_grad()
    def add(self, real: Tensor, fake: Tensor) -> None:
        """Overwrite the oldest entries with projections [batch, dim] of the whole batch."""
        # The place is read by the device alone: the host does not wait for it.
        rows = self.q_ptr + torch.arange(len(real), device=self.q_ptr.device)
        self.q_real[rows] = real
        self.q_fake[rows] = fake
        self.q_ptr.add_(len(real)).remainder_(self.used)

    def loss(self, real: tuple[Tensor, Tensor], fake: tuple[Tensor, Tensor]) -> Tensor:
        """Compute the sum of both kinds of image, of each two views [B, dim]."""
        return contrastive(*real, self.q_real[: self.used]) + contrastive(*fake, self.q_fake[: self.used])


def contrastive(a: Tensor, b: Tensor, queue: Tensor) -> Tensor:
    """Compute the mean over 2B views of -log softmax of the cosine with the other view of the same image.

    A view's logit with itself is 0, not minus infinity, as released.

    Args:
        a, b: two views [B, dim].
        queue: [Q, dim].
    """
    views = F.normalize(torch.cat([a, b]), dim=1)
    others = torch.cat([views, F.normalize(queue, dim=1)])
    logits = views @ others.t() / TEMPERATURE
    itself = torch.eye(len(views), len(others), dtype=torch.bool, device=logits.device)
    partner = torch.arange(len(views), device=logits.device).roll(len(a))
    return F.cross_entropy(logits.masked_fill(itself, 0), partner)
