"""Videos from a trained MoCoGAN-HD: whole frames from 0 on, as long as wanted."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from styleinv.generator import Rounding, to_uint8
from styleinv.methods.mocogan_hd.motion import MotionGenerator
from styleinv.methods.stylegan2.method import load_generator_of
from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.rng import numpy_generator, torch_generator
from styleinv.training.checkpoint import load_module, read_model

# Frames that go through the synthesis at once.
CHUNK = 32


class MoCoGANHDGenerator:
    """The `VideoGenerator` of this method; the walk is unrolled from frame 0, keeping the frames asked for."""

    def __init__(self, G: Generator, R: MotionGenerator, fps: float, noise_mode: str = "const"):
        self.G, self.R, self.fps, self.noise_mode = G, R, fps, noise_mode
        self.resolution = G.img_resolution
        self.device = G.mapping.w_avg.device

    @torch.no_grad()
    def videos(self, seeds: Sequence[int], times: Tensor, rounding: Rounding = "truncate") -> Tensor:
        """Generate clips; see `styleinv.generator.VideoGenerator`.

        Raises:
            ValueError: for times that are no frames.
        """
        frames = times.round().long()
        if (frames != times).any() or (frames < 0).any():
            raise ValueError("mocogan_hd makes whole frames from 0 on; ask for integer times")
        return torch.stack([self._video(seed, frames.tolist(), rounding) for seed in seeds])

    def _video(self, seed: int, frames: list[int], rounding: Rounding) -> Tensor:
        w = self.latents(seed, frames)
        ws = w[:, None].expand(-1, self.G.num_ws, -1)
        parts = (self.G.synthesis(part, noise_mode=self.noise_mode) for part in ws.split(CHUNK))
        return torch.cat([to_uint8(part, rounding).cpu() for part in parts])

    @torch.no_grad()
    def latents(self, seed: int, frames: list[int]) -> Tensor:
        """Compute w [len(frames), w_dim] of a seed's video."""
        generator = torch_generator("content", seed)
        w = self.G.mapping(torch.randn([1, self.G.z_dim], generator=generator).to(self.device))[:, 0]
        rng = numpy_generator("motion", seed)
        wanted, found = set(frames), {0: w}
        state = self.R.start(w)
        for i in range(1, max(frames, default=0) + 1):
            e = torch.from_numpy(rng.standard_normal((1, self.R.z_dim)).astype(np.float32)).to(self.device)
            w, state = self.R.step(w, e, state)
            if i in wanted:
                found[i] = w
        return torch.cat([found[i] for i in frames])


def load_generator(model_file: Path, device: torch.device) -> MoCoGANHDGenerator:
    """Load the motion generator of a trained run, averaged where the run kept an average, with its image generator."""
    G, description = load_generator_of(model_file, device, name="G")
    _, tensors = read_model(model_file)
    R = MotionGenerator(**description["motion"])
    load_module(R, tensors, "R_ema" if description.get("averaged") else "R", model_file)
    R = R.eval().requires_grad_(False).to(device)
    return MoCoGANHDGenerator(G, R, description["fps"], description["noise_mode"])
