"""Training StyleGAN-V on three sparse frames per video (Skorokhodov et al. 2022; a baseline of the paper).

Its own ideas are the motion codes between anchors of noise (`nn.motion`, there without the first-frame-aware form of
the paper) and the discriminator of sparse frames (`nn.video_discriminator`); the training is `methods.sparse_video`.
"""

import random
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from styleinv.methods import sparse_video
from styleinv.methods.context import Context
from styleinv.methods.sparse_video import ClipInputs, SparseVideoConfig, SparseVideoGAN
from styleinv.methods.stylegan_v import generate
from styleinv.methods.stylegan_v.generate import load_generator
from styleinv.methods.stylegan_v.loss import StyleGANVLoss
from styleinv.nn import motion, video_discriminator
from styleinv.nn.host import to_device
from styleinv.nn.precision import HalfDtype
from styleinv.schema import Strict
from styleinv.training.draws import Draws
from styleinv.training.method import TrainingConfig
from styleinv.training.schedule import adam

__all__ = ["Config", "create", "load_generator"]


class MotionConfig(motion.MotionConfig):
    """Motion noise at anchors, with longer periods of time than StyleInV's."""

    max_period_len: float = Field(1024, gt=0)


class GeneratorConfig(Strict):
    """Sizes of the generator, StyleGAN2's with a short mapping network."""

    z_dim: int = Field(512, ge=1)
    w_dim: int = Field(512, ge=1)
    mapping_layers: int = Field(2, ge=1)
    channel_base: int = Field(16384, ge=1)
    channel_max: int = Field(512, ge=1)
    num_fp16_res: int = Field(4, ge=0)
    half_dtype: HalfDtype = "float16"
    conv_clamp: float | None = 256


class DiscriminatorConfig(video_discriminator.DiscriminatorConfig):
    """The sparse video discriminator, with smaller groups of its minibatch statistics."""

    mbstd_group_size: int = Field(4, ge=1)


class SamplingConfig(sparse_video.SamplingConfig):
    """Sparse training times of clips as long as the videos."""

    max_num_frames: int = Field(1024, ge=3)
    num_frames: int = Field(3, ge=2)
    max_dist: int = Field(32, ge=2)
    spans: Literal["uniform", "powers_of_two"] = "powers_of_two"


class Config(SparseVideoConfig):
    """config/methods/stylegan_v.yaml."""

    training: TrainingConfig
    generator: GeneratorConfig = GeneratorConfig()
    motion: MotionConfig = MotionConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    sampling: SamplingConfig = SamplingConfig()
    lr: float = Field(0.0025, gt=0)
    g_reg_interval: int = Field(4, ge=1)
    r1_gamma: float = Field(0.2048, ge=0)


class StyleGANV(SparseVideoGAN):
    """The whole generator against the sparse video discriminator."""

    loss: StyleGANVLoss

    def __init__(self, config: Config, context: Context):
        s = config.sampling
        times = s.times(s.num_frames, add_0=False)
        # Generated videos are as long as those of the data set, so that the times of both are distributed alike.
        self.lengths = np.minimum(context.store.lengths, s.max_num_frames)
        times.allowed_spans(int(self.lengths.max()))  # refuses more frames than the longest video has
        g = config.generator.model_dump()
        self.options = {name: g.pop(name) for name in ("z_dim", "w_dim", "mapping_layers")} | {
            "synthesis": g,
            "motion": config.motion.model_dump() | {"max_num_frames": s.max_num_frames},
        }
        G = generate.build_generator(self.options, context.store.resolution).train().requires_grad_(False)
        G = G.to(context.device)
        super().__init__(
            config,
            config.training,
            context,
            times,
            "G",
            G,
            # There is no lazy regularisation of G, but its Adam is set as if there were, as released.
            adam(G.parameters(), config.lr, config.betas, config.g_reg_interval),
            lr_discriminator=config.lr,
            min_length=s.num_frames,
        )
        self.loss = StyleGANVLoss(G, self.D, self.pipe, config.r1_gamma)
        self.fake_times = s.times(s.num_frames, add_0=False, fractional=True)

    def inputs(self, draws: Draws, n: int) -> ClipInputs:
        """Draw noise, and times within the lengths of random videos."""
        device, motion = self.context.device, self.loss.G.motion_encoder
        t = np.concatenate([self._times(group.python("t"), n // len(draws.groups)) for group in draws.each])
        return ClipInputs(
            z=draws.randn("z", n, self.loss.G.z_dim, device=device),
            # No time lies beyond the longest training clip.
            motion_z=draws.randn("motion_z", n, motion.traj_len(0), motion.z_dim, device=device),
            t=to_device(torch.from_numpy(t), device),
            augment=draws.generator("augment_fake"),
        )

    def _times(self, rng: random.Random, n: int) -> np.ndarray:
        videos = self.clips.videos
        lengths = [int(self.lengths[videos[rng.randrange(len(videos))]]) for _ in range(n)]
        return np.stack([self.fake_times.draw(rng, length) for length in lengths])

    def generator(self) -> generate.StyleGANVGenerator:
        """Return a maker of videos from the averaged networks as they stand."""
        return generate.StyleGANVGenerator(self.parts.modules["G_ema"], self.context.store.fps)  # type: ignore[arg-type]

    def description(self) -> dict[str, Any]:
        """Describe what rebuilds the networks."""
        return {
            "method": "stylegan_v",
            "generator": self.options,
            "resolution": self.context.store.resolution,
            "fps": self.context.store.fps,
        }


create = StyleGANV
