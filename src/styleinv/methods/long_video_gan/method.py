"""Training Long-Video-GAN's super-resolution half on short clips of both resolutions (Brooks et al. 2022)."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
from pydantic import Field
from torch import Tensor

from styleinv.data.sampling import Clips
from styleinv.data.store import FrameStore
from styleinv.methods.context import Context
from styleinv.methods.long_video_gan import generate
from styleinv.methods.long_video_gan.discriminator import SuperResDiscriminator
from styleinv.methods.long_video_gan.generate import load_generator
from styleinv.methods.long_video_gan.generator import SuperResGenerator
from styleinv.methods.long_video_gan.loss import Randomness, SuperResLoss
from styleinv.methods.long_video_gan_lr.generate import load_low_res
from styleinv.methods.long_video_gan_lr.method import EmaConfig, consecutive, to_clips
from styleinv.nn.augment import Augment, AugmentPipe
from styleinv.nn.groups import Source
from styleinv.nn.precision import HalfDtype
from styleinv.rng import key
from styleinv.schema import Strict
from styleinv.training.ada import AdaConfig, build_augment
from styleinv.training.draws import Draws
from styleinv.training.ema import ramped_beta
from styleinv.training.method import Parts, Phase, Report, TrainingConfig, VideoMethod, check_batch
from styleinv.training.schedule import adam

__all__ = ["Config", "create", "load_generator"]


class GeneratorConfig(Strict):
    """Sizes of the generator."""

    z_dim: int = Field(512, ge=1)
    w_dim: int = Field(512, ge=1)
    cond_context: int = Field(4, ge=0)
    margin_size: int = Field(10, ge=0)
    channel_base: int = Field(32768, ge=1)
    channel_max: int = Field(512, ge=1)
    num_layers: int = Field(14, ge=3)
    num_fp16_res: int = Field(4, ge=0)
    half_dtype: HalfDtype = "float16"
    recompute: bool = False


class DiscriminatorConfig(Strict):
    """Sizes of the discriminator."""

    channel_base: int = Field(16384, ge=1)
    channel_max: int = Field(512, ge=1)
    num_fp16_res: int = Field(4, ge=0)
    half_dtype: HalfDtype = "float16"


class CorruptionConfig(Strict):
    """How low-resolution clips are spoilt: each change happens with probability `p`."""

    p: float = Field(0.5, ge=0, le=1)
    scale_std: float = Field(0.08, ge=0)
    rotate_max: float = Field(0.016, ge=0)
    aniso_std: float = Field(0.08, ge=0)
    xfrac_std: float = Field(0.016, ge=0)
    noise_std: float = Field(0.08, ge=0)


class Config(Strict):
    """config/methods/long_video_gan.yaml.

    Attributes:
        seq_length: frames of a clip; low-resolution clips have `cond_context` more at both ends.
        lr_cond_prob: how often the discriminator sees the low resolution.
    """

    training: TrainingConfig
    generator: GeneratorConfig = GeneratorConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    corruption: CorruptionConfig = CorruptionConfig()
    seq_length: int = Field(4, ge=1)
    lr_cond_prob: float = Field(0.1, ge=0, le=1)
    ada: AdaConfig = AdaConfig()
    lr: float = Field(0.003, gt=0)
    betas: tuple[float, float] = (0, 0.99)
    ema: EmaConfig = EmaConfig()
    d_reg_interval: int = Field(16, ge=1)
    r1_gamma: float = Field(1, ge=0)
    mirror: bool = True


def of_clips(pipe: AugmentPipe) -> Augment:
    """Apply a pipe of images to clips [N, 3, T, H, W], with one draw for all frames of a clip."""

    def augment(clips: Tensor, draws: Source | None) -> Tensor:
        n, _, t, h, w = clips.shape
        frames = pipe(clips.transpose(1, 2).reshape(n, 3 * t, h, w), draws)
        return frames.reshape(n, t, 3, h, w).transpose(1, 2)

    return augment


def corruption(config: CorruptionConfig) -> AugmentPipe:
    """Build the pipe that spoils low-resolution clips."""
    stds = config.model_dump(exclude={"p"})
    pipe = AugmentPipe(scale=1, rotate=1, aniso=1, xfrac=1, noise=1, **stds).requires_grad_(False)
    pipe.p = config.p
    return pipe


class _Pairs:
    """The same clips at both resolutions."""

    def __init__(self, low: FrameStore, high: FrameStore, seed: int, mirror: bool, frames: int):
        self.low: Clips = consecutive(low, seed, mirror, frames)
        self.high: Clips = consecutive(high, seed, mirror, frames)


class LongVideoGAN(VideoMethod):
    """Alias-free super-resolution of windows of low-resolution frames; the model holds the low-resolution half too.

    Raises:
        ValueError: where the two frame stores are not of the same videos.
    """

    def __init__(self, config: Config, context: Context):
        self.config, self.context, self.training = config, context, config.training
        store, device = context.store, context.device
        check_batch(config.training, [], context.world_size)
        low_store = FrameStore(context.upstream["lowres"])
        if low_store.names != store.names or not np.array_equal(low_store.lengths, store.lengths):
            raise ValueError(f"{low_store.path} and {store.path} hold other videos; run the stage lowres again")

        # The low-resolution half is trained already; its frozen copy makes this model complete.
        G_low, self.low_res = load_low_res(context.upstream["long_video_gan_lr"])
        self.frames_per_sample = config.seq_length
        size, small = store.resolution, low_store.resolution
        self.options = config.generator.model_dump()
        self.options |= {"img_width": size, "img_height": size, "cond_width": small, "cond_height": small}
        G = SuperResGenerator(**self.options).train().requires_grad_(False).to(device)
        D = SuperResDiscriminator(size, config.seq_length, size // small, **config.discriminator.model_dump())
        D = D.train().requires_grad_(False).to(device)

        # Real low-resolution clips are spoilt, so that the network copes with generated ones later.
        pipe = build_augment(config.ada, device)
        augment = None if pipe is None else of_clips(pipe)
        corrupt = of_clips(corruption(config.corruption).to(device))
        self.loss = SuperResLoss(G, D, corrupt, augment, config.lr_cond_prob, config.r1_gamma)
        self.parts = Parts(
            modules={"G": G, "D": D, "G_ema": copy.deepcopy(G).eval(), "G_low": G_low.to(device)},
            averages={"G_ema": "G"},
            average_buffers="follow",
            optimizers={
                "G": adam(G.parameters(), config.lr, config.betas),
                "D": adam(D.parameters(), config.lr, config.betas, config.d_reg_interval),
            },
            augment=pipe,
            ada=config.ada,
        )
        self.phases = [
            Phase("Gmain", "G", self._generator_main),
            Phase("Dmain", "D", self._discriminator_main),
            Phase("Dreg", "D", self._discriminator_reg, config.d_reg_interval),
        ]

        # G, D and R1 see real clips of their own; G needs frames before and after those that it makes.
        frames, seed = config.seq_length + 2 * config.generator.cond_context, context.seed
        self.pairs = {
            purpose: _Pairs(low_store, store, key(seed, purpose), config.mirror, frames) for purpose in ("G", "D", "R1")
        }

    def ema_beta(self, step: int) -> float:
        """Return the decay by Long-Video-GAN's own ramp, in steps."""
        return ramped_beta(step, self.config.ema.beta, self.config.ema.rampup_steps)

    def real_batch(self, number: int, size: int) -> tuple[Tensor, ...]:
        """Return low-resolution clips for G, clips of both resolutions for D, and others for R1 where a step has it."""
        step = number // self.training.groups
        batch = [self.pairs["G"].low.batch(number, size)[0]]
        for purpose in ["D"] if step % self.config.d_reg_interval else ["D", "R1"]:
            pairs, inner = self.pairs[purpose], self._inner()
            batch += [pairs.low.batch(number, size)[0], pairs.high.batch(number, size)[0][:, inner]]
        return tuple(batch)

    def _inner(self) -> slice:
        context = self.config.generator.cond_context
        return slice(context, context + self.config.seq_length)

    def _z(self, draws: Draws, n: int) -> Tensor:
        return draws.randn("z", n, self.loss.G.z_dim, device=self.context.device)

    @staticmethod
    def _random(draws: Draws, purpose: str) -> Randomness:
        return Randomness(*(draws.generator(f"{name}_{purpose}") for name in ("corrupt", "augment", "hide")))

    def _generator_main(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        low = to_clips(real[0])
        yield from self.loss.generator_main(self._z(draws, len(low)), low, self._random(draws, "fake"), report)

    def _discriminator_main(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        low, high = to_clips(real[1]), to_clips(real[2])
        randoms = self._random(draws, "fake"), self._random(draws, "real")
        yield from self.loss.discriminator_main(self._z(draws, len(low)), low, high, *randoms, report)

    def _discriminator_reg(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        low, high = to_clips(real[3][:, self._inner()]), to_clips(real[4])
        yield from self.loss.discriminator_reg(low, high, self._random(draws, "real"), report)

    def generator(self) -> generate.LongVideoGenerator:
        """Return a maker of videos from the averaged networks as they stand."""
        low, G = self.parts.modules["G_low"], self.parts.modules["G_ema"]
        return generate.LongVideoGenerator(low, G, self.context.store.fps)  # type: ignore[arg-type]

    def description(self) -> dict[str, Any]:
        """Describe what rebuilds the networks."""
        return {
            "method": "long_video_gan",
            "generator": self.options,
            "low_res": self.low_res,
            "fps": self.context.store.fps,
        }


create = LongVideoGAN
