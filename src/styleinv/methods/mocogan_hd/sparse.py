"""The variant of Table 2 #1: MoCoGAN-HD's walk trained as StyleInV is, first-frame-aware and on sparse frames.

A reconstruction, since no script of it was released: StyleInV's training, settings included, with this walk as the
motion generator. The walk is unrolled to the last sampled time, so times are whole, and only the sampled frames are
decoded; reconstruction of frame 0 needs no loss, as the walk starts at w_0.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from styleinv.methods.context import Context
from styleinv.methods.mocogan_hd import generate
from styleinv.methods.mocogan_hd.motion import MotionGenerator, mutual_information_loss
from styleinv.methods.sparse_video import ClipInputs, SamplingConfig, SparseVideoConfig, SparseVideoGAN, SparseVideoLoss
from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.nn import groups
from styleinv.nn.augment import Augment
from styleinv.nn.host import to_device
from styleinv.training.adversarial import logistic_g
from styleinv.training.draws import Draws
from styleinv.training.method import Report, TrainingConfig
from styleinv.training.schedule import adam


class SparseConfig(SamplingConfig, SparseVideoConfig):
    """Settings under the key `sparse` of config/methods/mocogan_hd.yaml."""

    num_sample: int = Field(3, ge=2)
    lr: float = Field(1e-4, gt=0)
    lr_discriminator: float = Field(2e-3, gt=0)
    lambda_w_reg: float = Field(0.05, ge=0)
    lambda_mutual: float = Field(0, ge=0)


class WalkLoss(SparseVideoLoss):
    """The terms of the phases Rmain, Dmain and Dreg; motion noise is [steps, B, z_dim], a row per frame after 0.

    Of several groups each walks on to the last time of all; what lies beyond its own is not looked at.
    """

    def __init__(self, G: Generator, R: MotionGenerator, D: nn.Module, augment: Augment | None, config: SparseConfig):
        super().__init__(D, augment, config.r1_gamma)
        self.G, self.R, self.config = G, R, config

    def _walk(self, fake: ClipInputs) -> tuple[Tensor, Tensor, Tensor]:
        """Generate frames [B, F, 3, R, R]; also return their w [B, F, w_dim] and the mutual information loss."""
        with torch.no_grad():
            w0 = self.G.mapping(fake.z)[:, 0]
        w, recovered = self.R(w0, fake.motion_z)
        mutual = self._mutual(recovered, fake)
        chosen = w.gather(1, fake.t.long()[:, :, None].expand(-1, -1, w.shape[2]))
        ws = chosen.flatten(0, 1)[:, None].expand(-1, self.G.num_ws, -1)
        return self.G.synthesis(ws, noise_mode="const").unflatten(0, fake.t.shape), chosen, mutual

    def _mutual(self, recovered: Tensor, fake: ClipInputs) -> Tensor:
        """Compute the mutual information loss, each group's over the steps up to its own last time."""
        noise = fake.motion_z.transpose(0, 1)
        if groups.count() == 1:
            return mutual_information_loss(recovered.flatten(0, 1), noise.flatten(0, 1))
        last = groups.split(fake.t).amax(dim=[1, 2])
        walked = torch.arange(noise.shape[1], device=noise.device) < groups.spread(last, fake.t)
        alike = F.cosine_similarity(recovered, noise, dim=2, eps=1e-8) * walked
        return -(groups.split(alike).sum(dim=[1, 2]) / groups.split(walked).sum(dim=[1, 2])).mean()

    def generated_clips(self, fake: ClipInputs) -> tuple[Tensor, Tensor]:
        """Generate all frames; the first is G(w_0)."""
        return self._walk(fake)[0], fake.t

    def generator_main(self, fake: ClipInputs, report: Report) -> Iterator[Tensor]:
        """Yield the adversarial loss, the distance of latents from w_0 and the mutual information, weighted."""
        frames, w, mutual = self._walk(fake)
        adv = logistic_g(self.score(frames, fake.t, fake.augment), report)
        report("Loss/G/adv", adv)
        # Over all frames, the first included, as StyleInV's (Eq. 5).
        drift = (w - w[:, :1]).norm(dim=2) * self.config.lambda_w_reg
        report("Loss/G/wreg", drift)
        report("Loss/G/mutual", mutual)
        yield adv.mean() + drift.mean() + self.config.lambda_mutual * mutual


class SparseMoCoGANHD(SparseVideoGAN):
    """The walk against the sparse video discriminator; the first frame shown is G(w_0)."""

    loss: WalkLoss

    def __init__(
        self,
        config: SparseConfig,
        training: TrainingConfig,
        context: Context,
        G: Generator,
        R: MotionGenerator,
        described: dict[str, Any],
    ):
        super().__init__(
            config,
            training,
            context,
            config.times(config.num_sample, add_0=True),
            "R",
            R,
            adam(R.parameters(), config.lr, config.betas),
            config.lr_discriminator,
            frozen={"G": G},
        )
        self.config, self.described = config, described
        self.loss = WalkLoss(G, R, self.D, self.pipe, config)

    def inputs(self, draws: Draws, n: int) -> ClipInputs:
        """Draw whole times, and noise for every frame up to the last of them."""
        device, t = self.context.device, self.draw_times(self.real_times, draws, n)
        width, share = self.loss.R.z_dim, t.chunk(len(draws.groups))
        noise = [group.randn("e", int(u.max()), len(u), width) for group, u in zip(draws.each, share, strict=True)]
        padded = [F.pad(e, (0, 0, 0, 0, 0, int(t.max()) - len(e))) for e in noise]
        return ClipInputs(
            z=draws.randn("z", n, self.loss.G.z_dim, device=device),
            motion_z=to_device(torch.cat(padded, dim=1), device),
            t=to_device(t, device),
            augment=draws.generator("augment_fake"),
        )

    def generator(self) -> generate.MoCoGANHDGenerator:
        """Return a maker of videos from the averaged networks as they stand."""
        average = self.parts.modules["R_ema"]
        assert isinstance(average, MotionGenerator)
        return generate.MoCoGANHDGenerator(self.loss.G, average, self.context.store.fps)

    def sample_times(self) -> Tensor:
        """Return eight moments of a clip of the training length."""
        return torch.linspace(0, self.config.max_num_frames - 1, 8).round()

    def description(self) -> dict[str, Any]:
        """Describe what rebuilds the networks."""
        return self.described | {"noise_mode": "const", "averaged": True}
