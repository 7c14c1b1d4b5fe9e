"""Videos from both halves of a trained Long-Video-GAN: any whole frames of videos without end."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from styleinv.errors import UserError
from styleinv.generator import Rounding, to_uint8
from styleinv.methods.long_video_gan.generator import SuperResGenerator
from styleinv.methods.long_video_gan_lr.generate import LowResVideos, load_low_res, together, whole_frames
from styleinv.methods.long_video_gan_lr.generator import LowResGenerator
from styleinv.rng import torch_generator
from styleinv.training.checkpoint import load_module, read_model

# Frames that go through the super-resolution network at once.
CHUNK = 8


class LongVideoGenerator:
    """The `VideoGenerator` of this method; any part of a longer video is the same as in a shorter one."""

    def __init__(self, low: LowResGenerator, G: SuperResGenerator, fps: float):
        self.low, self.G, self.fps, self.resolution = LowResVideos(low), G, fps, G.img_width
        self.device = G.mapping.w_avg.device

    @torch.no_grad()
    def videos(self, seeds: Sequence[int], times: Tensor, rounding: Rounding = "truncate") -> Tensor:
        """Generate clips; see `styleinv.generator.VideoGenerator`.

        Raises:
            ValueError: for times that are no frames.
        """
        frames = whole_frames(times)
        return torch.stack([self._video(seed, frames, rounding) for seed in seeds])

    def _video(self, seed: int, frames: list[int], rounding: Rounding) -> Tensor:
        generator = torch_generator("content", seed)
        w = self.G.latents(torch.randn([1, self.G.z_dim], generator=generator).to(self.device))
        context = self.G.cond_context
        windows = together(self.low, seed, frames, context).unflatten(1, (len(frames), 2 * context + 1))
        parts = []
        # [3, T, window, h, w] -> [T, 3, window, h, w]
        for part in windows.transpose(0, 1).split(CHUNK):
            parts.append(to_uint8(self.G.frames(w.expand(len(part), -1), part), rounding).cpu())
        return torch.cat(parts)


def load_generator(model_file: Path, device: torch.device) -> LongVideoGenerator:
    """Load the averaged generators of a trained run.

    Raises:
        UserError: for an imported model without the low-resolution half.
    """
    description, tensors = read_model(model_file)
    if "low_res" not in description:
        raise UserError(
            "holds the super-resolution half alone",
            file=model_file,
            cure="Import a folder with the snapshots of both halves.",
        )
    low, _ = load_low_res(model_file, "G_low")
    G = SuperResGenerator(**description["generator"])
    load_module(G, tensors, "G_ema", model_file)
    return LongVideoGenerator(low.to(device), G.eval().requires_grad_(False).to(device), description["fps"])
