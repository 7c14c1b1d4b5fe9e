"""Inverting images by a trained encoder (Eq. 1), and refining what it finds by optimisation."""

from pathlib import Path

import torch
from torch import Tensor

from styleinv.errors import UserError
from styleinv.methods.inversion.encoder import PSP
from styleinv.methods.stylegan2.method import load_generator_of
from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.training.checkpoint import load_module, read_model

# Of the Adam that refines latents, as in the projector of StyleGAN2 (Karras et al. 2020, appendix D): its first rate.
LR = 0.1


class Inverter:
    """Finds the latent of an image.

    Args:
        psp: the encoder.
        G: the image generator that it was trained against.
    """

    def __init__(self, psp: PSP, G: Generator):
        self.psp, self.G = psp, G

    def require(self, G: Generator, file: Path) -> None:
        """Refuse another image generator than the encoder's.

        Raises:
            UserError: naming the encoder's `file`.
        """
        own, other = self.G.state_dict(), G.state_dict()
        if own.keys() != other.keys() or any(not torch.equal(own[name], other[name]) for name in own):
            cure = "Train both on one image generator."
            raise UserError("was trained against another image generator than the run's", file=file, cure=cure)

    @torch.no_grad()
    def invert(self, image: Tensor) -> Tensor:
        """Compute w [N, w_dim] of images [N, 3, R, R] in [-1, 1]."""
        return self.psp(image)[:, 0]

    def refine(self, w: Tensor, image: Tensor, steps: int) -> Tensor:
        """Move w [1, w_dim] by `steps` of Adam to where the squared difference of the images is least.

        The rate falls to zero along half a cosine. The best w of all steps is returned, so that it is never worse.
        """
        w = w.clone().requires_grad_()
        optimizer = torch.optim.Adam([w], lr=LR)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
        best, least = w.detach().clone(), float("inf")
        for step in range(steps + 1):
            loss = (self.draw(w) - image).square().mean()
            if loss.item() < least:
                best, least = w.detach().clone(), loss.item()
            if step < steps:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
        return best

    def draw(self, w: Tensor) -> Tensor:
        """Synthesise [N, 3, R, R] in [-1, 1] from w [N, w_dim]."""
        return self.G.synthesis(w[:, None].expand(-1, self.G.num_ws, -1), noise_mode="const")


def load_inverter(model_file: Path, device: torch.device) -> Inverter:
    """Load a trained encoder, with the running statistics of its BatchNorm, and its image generator."""
    G, description = load_generator_of(model_file, device, name="G")
    _, tensors = read_model(model_file)
    encoder = description["encoder"]
    psp = PSP(G.img_resolution, G.w_dim, tuple(encoder["widths"]), tuple(encoder["units"]))
    load_module(psp, tensors, "pSp", model_file)
    return Inverter(psp.eval().requires_grad_(False).to(device), G)
