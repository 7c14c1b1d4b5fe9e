"""Losses of the motion generator: first-frame-aware sparse training (paper section 3.4, Eqs. 3-6)."""

from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styleinv.methods.sparse_video import ClipInputs, SparseVideoLoss
from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.methods.styleinv.model import StyleInV
from styleinv.nn import groups
from styleinv.nn.augment import Augment
from styleinv.nn.precision import Precision, computing
from styleinv.training.adversarial import logistic_g
from styleinv.training.method import Report

FirstFrame = Literal["replace", "append", "remove", "generated"]


class StyleInVLoss(SparseVideoLoss):
    """The terms of the phases SImain, Dmain and Dreg; motion noise is [B, L, z_dim].

    Args:
        G: frozen image generator; gradients flow through it, not into it.
        first_frame: what the discriminator sees of the initial frame (Eq. 3). `replace`: G(w_0) in place of the frame
            generated at time 0 (supplement F); `append`: G(w_0) before generated times that have no 0; `remove`:
            nothing; `generated`: the frame generated at time 0.
        first_frame_recon: reconstruct the initial frame (Eq. 4), which needs a frame generated at time 0.
        add_0: the generator's times start with frame 0.
        lambda_recon: weight of Eq. 4; negative compares latents instead of images.
        lambda_w_reg: weight of Eq. 5, as the mean over frames and videos.
        noise_mode: synthesis noise of all frames; `initial_noise_mode`: of the initial frame.
        precision: of the encoder; image generator and discriminator have half types of their own.
    """

    def __init__(
        self,
        G: Generator,
        SI: StyleInV,
        D: nn.Module,
        augment: Augment | None = None,
        first_frame: FirstFrame = "replace",
        first_frame_recon: bool = True,
        add_0: bool = True,
        r1_gamma: float = 1.0,
        lambda_adv: float = 1.0,
        lambda_recon: float = 10.0,
        lambda_w_reg: float = 0.05,
        noise_mode: str = "const",
        initial_noise_mode: str = "const",
        precision: Precision = "float32",
    ):
        super().__init__(D, augment, r1_gamma)
        self.G, self.SI = G, SI
        self.first_frame, self.recon = first_frame, first_frame_recon
        # With these the discriminator sees the generated frames but the one at time 0.
        self.hides_0 = first_frame == "replace" or (first_frame == "remove" and add_0)
        self.lambda_adv, self.lambda_recon, self.lambda_w_reg = lambda_adv, lambda_recon, lambda_w_reg
        self.noise_mode, self.initial_noise_mode, self.precision = noise_mode, initial_noise_mode, precision

    def generator_main(self, fake: ClipInputs, report: Report) -> Iterator[Tensor]:
        """Yield the loss of the motion generator (Eq. 6): adversarial, first frame, latent regularisation."""
        w0, initial, w = self._latents(fake)
        frames = self._synthesis(w, fake)
        seen = frames[:, 1:] if self.hides_0 else frames
        logits = self.score(*self._with_initial(seen, initial, fake.t), fake.augment)
        adv = logistic_g(logits, report) * self.lambda_adv
        report("Loss/G/adv", adv)
        loss = adv.mean()
        if self.recon:
            if self.lambda_recon < 0:
                recon = F.mse_loss(self._by_frame(w, fake)[:, 0], groups.split(w0)) * -self.lambda_recon
            else:
                recon = F.mse_loss(frames[:, 0], initial) * self.lambda_recon
            report("Loss/G/recon", recon)
            loss = loss + recon
        drift = (w - groups.repeated(w0, fake.t.shape[1])).norm(dim=1) * self.lambda_w_reg
        report("Loss/G/wreg", drift)
        if self.lambda_w_reg > 0:
            loss = loss + drift.mean()
        yield loss

    def generated_clips(self, fake: ClipInputs) -> tuple[Tensor, Tensor]:
        """Generate what the discriminator sees: the frames, with the initial one as `first_frame` says."""
        _, initial, w = self._latents(fake)
        # Where the generated frame 0 is hidden it need not be synthesised: the rows of its latents, a group's first,
        # are left out. They were computed nevertheless, because E normalises the frames of a batch by their common
        # statistics (BatchNorm): without frame 0 the latents of all others would differ from those in SImain.
        seen = self._by_frame(w, fake)[:, 1:].flatten(0, 2) if self.hides_0 else w
        return self._with_initial(self._synthesis(seen, fake), initial, fake.t)

    def _latents(self, fake: ClipInputs) -> tuple[Tensor, Tensor, Tensor]:
        """Compute w_0 [B, w_dim], G(w_0) [B, 3, R, R] and w_t [F * B, w_dim], rows as in `StyleInV`."""
        with torch.no_grad():
            ws = self.G.mapping(fake.z)
            initial = self.G.synthesis(ws, noise_mode=self.initial_noise_mode, generator=fake.noise)
        with computing(self.precision, initial.device):
            w = self.SI(initial, ws[:, 0], fake.motion_z, fake.t)
        return ws[:, 0], initial, w

    @staticmethod
    def _by_frame(w: Tensor, fake: ClipInputs) -> Tensor:
        """Unfold w_t [F * B, ...] as [groups, F, B / groups, ...]."""
        return groups.split(w).unflatten(1, (-1, len(fake.z) // groups.count()))

    def _synthesis(self, w: Tensor, fake: ClipInputs) -> Tensor:
        """Synthesise frames [B, F', 3, R, R] from latents w [F' * B, w_dim]."""
        ws = w[:, None].expand(-1, self.G.num_ws, -1)
        images = self.G.synthesis(ws, noise_mode=self.noise_mode, generator=fake.noise)
        return self._by_frame(images, fake).transpose(1, 2).flatten(0, 1)

    def _with_initial(self, seen: Tensor, initial: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Put G(w_0) before the frames seen [B, F', 3, R, R] where it is shown; t [B, F] as generated."""
        if self.first_frame in ("replace", "append"):
            seen = torch.cat([initial[:, None], seen], dim=1)
        if self.first_frame == "append":
            return seen, F.pad(t, (1, 0))
        return seen, t[:, 1:] if self.first_frame == "remove" and self.hides_0 else t
