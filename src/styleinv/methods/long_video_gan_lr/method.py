"""Training Long-Video-GAN's low-resolution half on long clips (Brooks et al. 2022; a baseline of the paper)."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from styleinv.data.sampling import Clips
from styleinv.data.store import FrameStore
from styleinv.generator import to_float
from styleinv.methods.context import Context
from styleinv.methods.long_video_gan_lr import generate
from styleinv.methods.long_video_gan_lr.augment import ClipAugment
from styleinv.methods.long_video_gan_lr.discriminator import LowResDiscriminator
from styleinv.methods.long_video_gan_lr.generator import LowResGenerator
from styleinv.methods.long_video_gan_lr.loss import LowResInputs, LowResLoss
from styleinv.nn.diffaugment import Policy
from styleinv.rng import drawn_by_group, key
from styleinv.schema import Strict
from styleinv.training.draws import Draws
from styleinv.training.ema import ramped_beta
from styleinv.training.method import Parts, Phase, Report, TrainingConfig, VideoMethod, check_batch
from styleinv.training.schedule import adam


class EmbeddingConfig(Strict):
    """Settings of the noise at many time scales; rates are in frames."""

    blur_widths: int = Field(128, ge=1)
    min_sampling_rate: float = Field(250, gt=0)
    max_sampling_rate: float = Field(10_000, gt=0)


class GeneratorConfig(Strict):
    """Widths of the generator."""

    temporal_emb_dim: int = Field(1024, ge=1)
    latent_w_dim: int = Field(1024, ge=1)
    channels: tuple[int, int, int, int] = (512, 256, 128, 64)
    embedding: EmbeddingConfig = EmbeddingConfig()


class DiscriminatorConfig(Strict):
    """Widths of the discriminator."""

    channels: tuple[int, int, int, int, int] = (32, 64, 128, 256, 512)
    epilogue_channels: int = Field(1024, ge=1)


class EmaConfig(Strict):
    """Decay of the averaged weights, after a ramp of so many steps."""

    beta: float = Field(0.99985, gt=0, lt=1)
    rampup_steps: int = Field(25_000, ge=0)


class Config(Strict):
    """config/methods/long_video_gan_lr.yaml.

    Attributes:
        seq_length: frames of a clip.
        extra: frames generated beyond a clip, of which a random window is used.
        temporal_scale: clips are played at 2^U(-temporal_scale, temporal_scale) of their speed.
    """

    training: TrainingConfig
    generator: GeneratorConfig = GeneratorConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    seq_length: int = Field(128, ge=1)
    extra: int = Field(32, ge=1)
    diffaugment: Policy = "color,translation,cutout"
    temporal_scale: float = Field(1, ge=0)
    lr: float = Field(0.003, gt=0)
    lr_discriminator: float = Field(0.002, gt=0)
    betas: tuple[float, float] = (0, 0.99)
    ema: EmaConfig = EmaConfig()
    d_reg_interval: int = Field(16, ge=1)
    r1_gamma: float = Field(1, ge=0)
    mirror: bool = True


def consecutive(store: FrameStore, seed: int, mirror: bool, frames: int) -> Clips:
    """Sample clips of consecutive frames, one of every long enough video per pass."""
    return Clips(store, seed, mirror, frames, frames, lambda rng, length: np.arange(frames))


def to_clips(real: Tensor) -> Tensor:
    """Turn frames uint8 [N, T, 3, H, W] into clips float [N, 3, T, H, W] in [-1, 1]."""
    return to_float(real).transpose(1, 2)


class LongVideoGANLowRes(VideoMethod):
    """3D-convolutional generator of whole clips against a discriminator of whole clips."""

    def __init__(self, config: Config, context: Context):
        self.config, self.context, self.training = config, context, config.training
        device = context.device
        check_batch(config.training, [], context.world_size)
        self.store = FrameStore(context.upstream["lowres"])
        self.frames_per_sample = config.seq_length
        size = self.store.resolution
        self.options = {"out_height": size, "out_width": size} | config.generator.model_dump()
        G = LowResGenerator(**self.options).train().requires_grad_(False).to(device)
        D = LowResDiscriminator(config.seq_length, size, **config.discriminator.model_dump())
        D = D.train().requires_grad_(False).to(device)
        augment = ClipAugment(config.diffaugment, config.temporal_scale)
        self.loss = LowResLoss(G, D, augment, config.r1_gamma, config.seq_length, config.extra)
        self.parts = Parts(
            modules={"G": G, "D": D, "G_ema": copy.deepcopy(G).eval()},
            averages={"G_ema": "G"},
            average_buffers="follow",
            optimizers={
                "G": adam(G.parameters(), config.lr, config.betas),
                "D": adam(D.parameters(), config.lr_discriminator, config.betas, config.d_reg_interval),
            },
        )
        self.phases = [
            Phase("Gmain", "G", self._generator_main),
            Phase("Dmain", "D", self._discriminator_main),
            Phase("Dreg", "D", self._discriminator_reg, config.d_reg_interval),
        ]

        # R1 has real clips of its own.
        self.clips = consecutive(self.store, context.seed, config.mirror, config.seq_length)
        self.clips_r1 = consecutive(self.store, key(context.seed, "r1"), config.mirror, config.seq_length)

    def ema_beta(self, step: int) -> float:
        """Return the decay by Long-Video-GAN's own ramp, in steps."""
        return ramped_beta(step, self.config.ema.beta, self.config.ema.rampup_steps)

    def real_batch(self, number: int, size: int) -> tuple[Tensor, ...]:
        """Return real clips uint8 [N, T, 3, h, w], and others for R1 in the steps that have it."""
        step = number // self.training.groups
        sources = [self.clips] if step % self.config.d_reg_interval else [self.clips, self.clips_r1]
        return tuple(clips.batch(number, size)[0] for clips in sources)

    def _fake(self, draws: Draws, n: int) -> LowResInputs:
        shape = self.loss.G.noise_shape(n, self.loss.frames + self.loss.extra)
        noise = draws.randn("noise", *shape, device=self.context.device)
        start = drawn_by_group(
            lambda n, generator: torch.randint(0, self.loss.extra, [n], generator=generator),
            *(n, draws.generator("start")),
        )
        return LowResInputs(noise, start, draws.generator("augment_fake"))

    def _generator_main(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        yield from self.loss.generator_main(self._fake(draws, len(real[0])), report)

    def _discriminator_main(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        clips, fake = to_clips(real[0]), self._fake(draws, len(real[0]))
        yield from self.loss.discriminator_main(fake, clips, draws.generator("augment_real"), report)

    def _discriminator_reg(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        yield from self.loss.discriminator_reg(to_clips(real[1]), draws.generator("augment_real"), report)

    def generator(self) -> generate.LowResVideoGenerator:
        """Return a maker of videos from the averaged networks as they stand."""
        G = self.parts.modules["G_ema"]
        return generate.LowResVideoGenerator(G, self.store.resolution, self.context.store.fps)  # type: ignore[arg-type]

    def description(self) -> dict[str, Any]:
        """Describe what rebuilds the networks."""
        return {
            "method": "long_video_gan_lr",
            "generator": self.options,
            "fps": self.context.store.fps,
        }


create = LongVideoGANLowRes
