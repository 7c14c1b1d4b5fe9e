"""Losses of the motion generator: first-frame-aware sparse training (paper section 3.4, Eqs. 3-6)."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.methods.styleinv.discriminator_ffc import FirstFrameDiscriminator
from styleinv.methods.styleinv.model import StyleInV
from styleinv.nn.augment import Augment
from styleinv.nn.video_discriminator import VideoDiscriminator
from styleinv.training.adversarial import logistic_d, logistic_g, r1, report_scores
from styleinv.training.method import Report


@dataclass(frozen=True)
class Fake:
    """Inputs of one generated micro-batch.

    Attributes:
        z: content noise [B, z_dim].
        motion_z: motion noise [B, L, z_dim].
        t: frame times [B, F]; the first is 0 when the first frame is generated too.
        noise: CPU generator for the synthesis noise in `random` mode.
        augment: CPU generator of the augmentation.
    """

    z: Tensor
    motion_z: Tensor
    t: Tensor
    noise: torch.Generator | None = None
    augment: torch.Generator | None = None


class StyleInVLoss:
    """Terms of the phases SImain, Dmain and Dreg.

    Args:
        G: frozen image generator; gradients flow through it, not into it.
        first_frame_in_D: show the initial frame to the discriminator (Eq. 3).
        first_frame_use_gen: show the generated frame(0) instead of G(w_0) (the paper shows G(w_0), supplement F).
        first_frame_recon: reconstruct the initial frame (Eq. 4).
        add_0: the generator's times start with frame 0.
        lambda_recon: weight of Eq. 4; negative compares latents instead of images.
        lambda_w_reg: weight of Eq. 5, as the mean over frames and videos.
        noise_mode: synthesis noise of all frames; `initial_noise_mode`: of the initial frame.
    """

    def __init__(
        self,
        G: Generator,
        SI: StyleInV,
        D: VideoDiscriminator | FirstFrameDiscriminator,
        augment: Augment | None = None,
        first_frame_in_D: bool = True,
        first_frame_use_gen: bool = False,
        first_frame_recon: bool = True,
        add_0: bool = True,
        r1_gamma: float = 1.0,
        lambda_adv: float = 1.0,
        lambda_recon: float = 10.0,
        lambda_w_reg: float = 0.05,
        noise_mode: str = "const",
        initial_noise_mode: str = "const",
    ):
        self.G, self.SI, self.D, self.augment = G, SI, D, augment
        self.recon, self.r1_gamma = first_frame_recon, r1_gamma
        self.lambda_adv, self.lambda_recon, self.lambda_w_reg = lambda_adv, lambda_recon, lambda_w_reg
        self.noise_mode, self.initial_noise_mode = noise_mode, initial_noise_mode
        if first_frame_in_D and not first_frame_use_gen:
            self.first_frame = "replace" if add_0 else "append"
        else:
            self.first_frame = "remove" if not first_frame_in_D and add_0 else "no"

    def main(self, fake: Fake, report: Report) -> Iterator[Tensor]:
        """Adversarial loss, first-frame reconstruction and latent regularisation of the motion generator (Eq. 6)."""
        w0, initial, w = self._latents(fake)
        frames = self._synthesis(w, fake)
        logits = self._score(*self._shown(frames, initial, fake.t), fake.augment)
        adv = logistic_g(logits, report) * self.lambda_adv
        report("Loss/G/adv", adv)
        loss = adv.mean()
        if self.recon:
            if self.lambda_recon < 0:
                recon = F.mse_loss(w[: len(w0)], w0) * -self.lambda_recon
            else:
                recon = F.mse_loss(frames[:, 0], initial) * self.lambda_recon
            report("Loss/G/recon", recon)
            loss = loss + recon
        drift = (w - w0.repeat(fake.t.shape[1], 1)).norm(dim=1) * self.lambda_w_reg
        report("Loss/G/wreg", drift)
        if self.lambda_w_reg > 0:
            loss = loss + drift.mean()
        yield loss

    def discriminator_main(
        self, fake: Fake, real: Tensor, real_t: Tensor, augment: torch.Generator | None, report: Report
    ) -> Iterator[Tensor]:
        """softplus(D(fake)), then softplus(-D(real)); real [B, F, 3, R, R] in [-1, 1], real_t [B, F] in frames."""
        with torch.no_grad():
            _, initial, w = self._latents(fake)
            # Frame 0 is not shown, so it is not synthesised; its row has served BatchNorm.
            skip = len(initial) if self.first_frame in ("replace", "remove") else 0
            frames = self._synthesis(w[skip:], fake)
            if skip:
                frames = torch.cat([initial[:, None], frames], dim=1)
            clips, t = self._shown(frames, initial, fake.t)
        yield from logistic_d(
            lambda: self._score(clips, t, fake.augment), lambda: self._score(real, real_t, augment), report
        )

    def discriminator_reg(
        self, real: Tensor, real_t: Tensor, augment: torch.Generator | None, report: Report
    ) -> Iterator[Tensor]:
        """R1: gamma / 2 * squared gradient summed over all frames and pixels of a video."""
        real = real.detach().requires_grad_()
        logits = self._score(real, real_t, augment)
        report_scores("real", logits, report)
        yield (logits * 0 + r1(logits, real, self.r1_gamma, report)).mean()

    def _latents(self, fake: Fake) -> tuple[Tensor, Tensor, Tensor]:
        """(w_0 [B, w_dim], G(w_0) [B, 3, R, R], w_t [F * B, w_dim])."""
        with torch.no_grad():
            ws = self.G.mapping(fake.z)
            initial = self.G.synthesis(ws, noise_mode=self.initial_noise_mode, generator=fake.noise)
        return ws[:, 0], initial, self.SI(initial, ws[:, 0], fake.motion_z, fake.t)

    def _synthesis(self, w: Tensor, fake: Fake) -> Tensor:
        """w [F' * B, w_dim] -> frames [B, F', 3, R, R]."""
        ws = w[:, None].expand(-1, self.G.num_ws, -1)
        images = self.G.synthesis(ws, noise_mode=self.noise_mode, generator=fake.noise)
        return images.unflatten(0, (-1, len(fake.z))).transpose(0, 1)

    def _shown(self, frames: Tensor, initial: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """What the discriminator sees of a generated clip, and at which times."""
        if self.first_frame == "replace":
            return torch.cat([initial[:, None], frames[:, 1:]], dim=1), t
        if self.first_frame == "append":
            return torch.cat([initial[:, None], frames], dim=1), F.pad(t, (1, 0))
        if self.first_frame == "remove":
            return frames[:, 1:], t[:, 1:]
        return frames, t

    def _score(self, clips: Tensor, t: Tensor, generator: torch.Generator | None) -> Tensor:
        stacked = clips.flatten(1, 2)
        if self.augment is not None:
            stacked = self.augment(stacked, generator)
        return self.D(stacked, t)
