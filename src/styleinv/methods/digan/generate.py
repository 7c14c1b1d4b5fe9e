"""Videos from a trained DIGAN: every frame is a function of its time, so any length and rate can be asked for.

One unit of the network's time is a training clip; later times are extrapolated, which is what FVD128 of the 16-frame
model measures.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

from styleinv.generator import Rounding, to_uint8
from styleinv.methods.digan.generator import Generator
from styleinv.rng import torch_generator
from styleinv.schema import Strict
from styleinv.training.checkpoint import load_module, read_model

# Frames that go through the network at once.
CHUNK = 16


class NetworkConfig(Strict):
    """Sizes of the generator.

    Attributes:
        input_resolution: working resolution of the first blocks.
        num_extra_convs: further layers per working resolution.
        rank: of the factorised modulation.
        emb_size: half the channels of the coordinate features, one for all or by nominal resolution.
    """

    z_dim: int = Field(512, ge=1)
    w_dim: int = Field(512, ge=1)
    mapping_layers: int = Field(2, ge=1)
    channel_base: int = Field(32768, ge=1)
    channel_max: int = Field(512, ge=1)
    input_resolution: int = Field(32, ge=4)
    num_extra_convs: dict[int, int] = {128: 1, 256: 1}
    rank: int = Field(10, ge=1)
    emb_size: int | dict[int, int] = 128


def build_generator(net: NetworkConfig, resolution: int) -> Generator:
    """Build the generator of a configuration, freshly initialised."""
    return Generator(img_resolution=resolution, **net.model_dump())


def load_generator(model_file: Path, device: torch.device) -> "DIGANGenerator":
    """Load the averaged generator of a trained run."""
    description, tensors = read_model(model_file)
    G = build_generator(NetworkConfig.model_validate(description["networks"]), description["resolution"])
    load_module(G, tensors, "G_ema", model_file)
    return DIGANGenerator(G.eval().requires_grad_(False).to(device), description["clip_frames"], description["fps"])


class DIGANGenerator:
    """The `VideoGenerator` of this method.

    Args:
        clip_frames: frames from the first to the last of a training clip, the network's unit of time.
    """

    def __init__(self, G: Generator, clip_frames: float, fps: float):
        self.G, self.clip_frames, self.fps = G, clip_frames, fps
        self.resolution = G.synthesis.img_resolution
        self.device = G.mapping.w_avg.device

    @torch.no_grad()
    def videos(self, seeds: Sequence[int], times: Tensor, rounding: Rounding = "truncate") -> Tensor:
        """Generate clips; see `styleinv.generator.VideoGenerator`; times may be any reals."""
        return torch.stack([self._video(seed, times.float() / self.clip_frames, rounding) for seed in seeds])

    def _video(self, seed: int, times: Tensor, rounding: Rounding) -> Tensor:
        z, z_motion = (
            torch.randn([1, width], generator=torch_generator(purpose, seed)).to(self.device)
            for purpose, width in (("content", self.G.z_dim), ("motion", self.G.w_dim))
        )
        ws = self.G.mapping(z)
        parts = (self.G.synthesis(ws, z_motion, part.to(self.device)[None]) for part in times.split(CHUNK))
        return torch.cat([to_uint8(part, rounding).cpu() for part in parts])
