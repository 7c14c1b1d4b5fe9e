"""Training MoCoGAN-HD across domains: images of one data set move as in the videos of another (Tian et al. 2021)."""

import copy
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styleinv.methods.mocogan_hd.contrastive import Memory
from styleinv.methods.mocogan_hd.discriminator import PatchDiscriminator
from styleinv.methods.mocogan_hd.image_discriminator import ImageDiscriminator
from styleinv.methods.mocogan_hd.in_domain import MoCoGANHD
from styleinv.methods.mocogan_hd.warp import warp
from styleinv.training.draws import Draws
from styleinv.training.method import Parts, Report

CONTRASTIVE_WEIGHT = 2.0


def discriminator_terms(
    D: ImageDiscriminator, memory: Memory, first: tuple[Tensor, Tensor], later: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the hinge of first frames, that of later ones, and the contrastive term, not weighted.

    Args:
        first, later: two views each of frames [B, 3, R, R]. The first view is scored.
    """
    # Each forward moves the spectral norms, so their order counts.
    (of_first, a), (_, b) = (D(view) for view in first)
    (of_later, c), (_, d) = (D(view) for view in later)
    contrast = memory.loss((a, b), (c, d))
    return F.relu(1 - of_first).mean(), F.relu(1 + of_later).mean(), contrast


def generator_terms(D: ImageDiscriminator, first: Tensor, later: Tensor) -> tuple[Tensor, Tensor]:
    """Compute minus the score of later frames, and minus the cosine of their projections with those of first frames."""
    score, of_later = D(later)
    of_first = D.project(first)
    return -score.mean(), -F.cosine_similarity(of_later, of_first, dim=1).mean()


class CrossDomainMoCoGANHD(MoCoGANHD):
    """Motion of these videos for images of another data set, whose first frames stand for real images.

    The memory is filled by the first process, from the projections of its groups.
    """

    several_groups = False

    def _parts(self, device: torch.device) -> Parts:
        c, x = self.config, self.config.cross_domain
        self.D_3d = PatchDiscriminator(3, 3, c.ndf, c.num_D, c.nframes > 16, c.norm_D_3d).train()
        self.D = ImageDiscriminator(self.frame_size, x.ch, x.proj_dim).train()
        self.D_ema = copy.deepcopy(self.D)
        if c.training.groups_at_once > 1:
            raise ValueError(
                "groups_at_once must be 1: spectral norms and the memory move with each group, before the next"
            )
        if x.memory < c.training.group:
            raise ValueError(f"memory {x.memory} is smaller than group_size {c.training.group}")
        self.memory = Memory(x.memory, x.proj_dim, c.training.group)
        for module in (self.D_3d, self.D, self.D_ema, self.memory):
            module.requires_grad_(False).to(device)
        trained: dict[str, nn.Module] = {"R": self.R, "D_3d": self.D_3d}
        optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(module.parameters(), lr=c.lr, betas=c.betas) for name, module in trained.items()
        }
        optimizers["D_img"] = torch.optim.Adam(self.D.parameters(), lr=c.lr, betas=(0.0, 0.999), eps=1e-6)
        others: dict[str, nn.Module] = {"D_img": self.D, "D_img_ema": self.D_ema, "memory": self.memory, "G": self.G}
        # The vectors of spectral norms are each network's own.
        return Parts(trained | others, optimizers, averages={"D_img_ema": "D_img"}, average_buffers="keep")

    def ema_beta(self, step: int) -> float:
        """Return the decay of the image discriminator's average, the only one."""
        return 0.999

    @staticmethod
    def clip_input(frames: Tensor) -> Tensor:
        """Arrange frames [B, T, 3, H, W] as clips [B, 3, T, H, W], without frame 0 beside each: motion alone counts."""
        return frames.transpose(1, 2)

    def _frame_pair(self, fake: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        return fake[:, 0], fake[:, draws.python("k").randrange(1, self.config.nframes)]

    def _of_images(self, frames: Tensor, fake: Tensor, draws: Draws, report: Report) -> Tensor:
        rng = draws.python("warp")
        first, later = (warp(x, rng) for x in self._frame_pair(fake, draws))
        score, match = generator_terms(self.D, first, later)
        with torch.no_grad():
            self.memory.add(self.D_ema.project(first), self.D_ema.project(later))
        report("Loss/G/match", match)
        return score + self.config.cross_domain.lambda_match * match

    def _images(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        fake, draws = self._discriminated(draws, len(real[0]))
        first, later = self._frame_pair(fake, draws)
        rng = draws.python("warp")
        views = (warp(first, rng), warp(first, rng)), (warp(later, rng), warp(later, rng))
        of_first, of_later, contrast = discriminator_terms(self.D, self.memory, *views)
        report("Loss/D/2d", of_first + of_later)
        report("Loss/D/contrastive", contrast)
        yield of_first + of_later + CONTRASTIVE_WEIGHT * contrast
