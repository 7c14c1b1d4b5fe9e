"""StyleGAN-V's losses: non-saturating, one logit per video; R1 as a mean over its frames."""

from collections.abc import Iterator

from torch import Tensor, nn

from styleinv.methods.sparse_video import ClipInputs, SparseVideoLoss
from styleinv.methods.stylegan_v.generator import Generator
from styleinv.nn.augment import Augment
from styleinv.training.adversarial import logistic_g, squared_gradient
from styleinv.training.method import Report


class StyleGANVLoss(SparseVideoLoss):
    """The terms of the phases Gmain, Dmain and Dreg; motion noise is [B, L, z_dim]."""

    def __init__(self, G: Generator, D: nn.Module, augment: Augment | None, r1_gamma: float):
        super().__init__(D, augment, r1_gamma)
        self.G = G

    def generated_clips(self, fake: ClipInputs) -> tuple[Tensor, Tensor]:
        """Generate all frames."""
        return self.G(fake.z, fake.t, fake.motion_z).unflatten(0, fake.t.shape), fake.t

    def generator_main(self, fake: ClipInputs, report: Report) -> Iterator[Tensor]:
        """Yield softplus(-D(G(z)))."""
        loss = logistic_g(self.score(*self.generated_clips(fake), fake.augment), report)
        report("Loss/G/loss", loss)
        yield loss.mean()

    def r1(self, logits: Tensor, real: Tensor, report: Report) -> Tensor:
        """Compute gamma / 2 times the squared gradient of every frame, as a mean over the frames of a clip: [B]."""
        penalty = squared_gradient(logits, real, each=2)
        report("Loss/r1_penalty", penalty)
        per_clip = penalty.mean(dim=1) * (self.r1_gamma / 2)
        report("Loss/D/reg", per_clip)
        return per_clip
