"""Videos from a trained StyleGAN-V: any length, any frame rate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from styleinv.generator import Rounding, to_uint8
from styleinv.methods.stylegan_v.generator import Generator
from styleinv.rng import numpy_generator, torch_generator
from styleinv.training.checkpoint import load_module, read_model

# Frames that go through the network at once.
CHUNK = 32


class StyleGANVGenerator:
    """The `VideoGenerator` of this method; longer videos continue the motion noise of shorter ones."""

    def __init__(self, G: Generator, fps: float):
        self.G, self.fps, self.resolution = G, fps, G.img_resolution
        self.device = G.mapping.w_avg.device

    @torch.no_grad()
    def videos(self, seeds: Sequence[int], times: Tensor, rounding: Rounding = "truncate") -> Tensor:
        """Generate clips; see `styleinv.generator.VideoGenerator`; times may be any non-negative reals."""
        return torch.stack([self._video(seed, times.double(), rounding) for seed in seeds])

    def _video(self, seed: int, times: Tensor, rounding: Rounding) -> Tensor:
        generator = torch_generator("content", seed)
        ws = self.G.mapping(torch.randn([1, self.G.z_dim], generator=generator).to(self.device))
        motion = self.G.motion_encoder
        rng = numpy_generator("motion", seed)
        noise = rng.standard_normal((1, motion.traj_len(float(times.max())), motion.z_dim)).astype(np.float32)
        tokens = motion.tokens(torch.from_numpy(noise).to(self.device))
        frames = []
        for part in times.to(self.device).split(CHUNK):
            codes, _ = motion.at_times(tokens, part[None])
            image = self.G.synthesis(ws.expand(len(part), -1, -1), inputs=codes)
            frames.append(to_uint8(image, rounding).cpu())
        return torch.cat(frames)


def build_generator(options: dict[str, Any], resolution: int) -> Generator:
    """Build the generator of a model's description, freshly initialised."""
    return Generator(img_resolution=resolution, **options)


def load_generator(model_file: Path, device: torch.device) -> StyleGANVGenerator:
    """Load the averaged generator of a trained run."""
    description, tensors = read_model(model_file)
    G = build_generator(description["generator"], description["resolution"])
    load_module(G, tensors, "G_ema", model_file)
    return StyleGANVGenerator(G.eval().requires_grad_(False).to(device), description["fps"])
