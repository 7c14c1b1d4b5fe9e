"""Training StyleGAN-V on three sparse frames per video (Skorokhodov et al. 2022; a baseline of the paper)."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from styleinv.data.sampling import Clips
from styleinv.data.time_sampling import TimeSampling
from styleinv.generator import VideoGenerator, to_float
from styleinv.methods.context import Context
from styleinv.methods.stylegan_v import generate
from styleinv.methods.stylegan_v.loss import Fake, StyleGANVLoss
from styleinv.nn.video_discriminator import VideoDiscriminator
from styleinv.schema import Strict
from styleinv.training.ada import AdaConfig, build_augment
from styleinv.training.draws import Draws
from styleinv.training.method import Parts, Phase, Report, TrainingConfig, VideoMethod, check_batch
from styleinv.training.schedule import adam


class MotionConfig(Strict):
    """Motion noise at anchors, and the acyclic encoding of times between them."""

    z_dim: int = Field(512, ge=1)
    v_dim: int = Field(512, ge=1)
    motion_z_distance: int = Field(16, ge=1)
    kernel_size: int = Field(11, ge=1)
    time_dim: int = Field(256, ge=1)
    min_period_len: float = Field(16, gt=0)
    max_period_len: float = Field(1024, gt=0)


class GeneratorConfig(Strict):
    """StyleGAN2's, with a short mapping."""

    z_dim: int = Field(512, ge=1)
    w_dim: int = Field(512, ge=1)
    mapping_layers: int = Field(2, ge=1)
    channel_base: int = Field(16384, ge=1)
    channel_max: int = Field(512, ge=1)
    num_fp16_res: int = Field(4, ge=0)
    half_dtype: str = "float16"
    conv_clamp: float | None = 256


class DiscriminatorConfig(Strict):
    """The sparse video discriminator."""

    concat_res: int = Field(16, ge=4)
    num_frames_div_factor: int = Field(2, ge=1)
    channel_base: int = Field(16384, ge=1)
    channel_max: int = Field(512, ge=1)
    num_fp16_res: int = Field(4, ge=0)
    half_dtype: str = "float16"
    conv_clamp: float | None = 256
    mbstd_group_size: int = Field(4, ge=1)


class SamplingConfig(Strict):
    """Sparse training times."""

    max_num_frames: int = Field(1024, ge=3)
    num_frames: int = Field(3, ge=2)
    max_dist: int = Field(32, ge=2)
    spans: Literal["powers_of_two", "uniform"] = "powers_of_two"


class Config(Strict):
    """config/methods/stylegan_v.yaml."""

    training: TrainingConfig
    generator: GeneratorConfig = GeneratorConfig()
    motion: MotionConfig = MotionConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    sampling: SamplingConfig = SamplingConfig()
    ada: AdaConfig = AdaConfig()
    lr: float = Field(0.0025, gt=0)
    betas: tuple[float, float] = (0, 0.99)
    g_reg_interval: int = Field(4, ge=1)
    d_reg_interval: int = Field(16, ge=1)
    r1_gamma: float = Field(0.2048, ge=0)
    mirror: bool = True


def create(config: Config, context: Context) -> "StyleGANV":
    """The method, ready to train."""
    return StyleGANV(config, context)


def load_generator(model_file: Path, device: torch.device) -> VideoGenerator:
    """The trained method for inference."""
    return generate.load_generator(model_file, device)


class StyleGANV(VideoMethod):
    """The whole generator against the sparse video discriminator."""

    def __init__(self, config: Config, context: Context):
        self.config, self.context, self.training = config, context, config.training
        store, device, s = context.store, context.device, config.sampling
        check_batch(config.training, [config.discriminator.mbstd_group_size], context.world_size)
        self.images_per_sample = s.num_frames
        times: dict[str, Any] = {"num_sample": s.num_frames, "add_0": False, "max_dist": s.max_dist, "spans": s.spans}
        self.real_times = TimeSampling(max_num_frames=s.max_num_frames, **times)
        self.fake_times = TimeSampling(max_num_frames=s.max_num_frames, fractional=True, **times)
        # Generated videos are as long as those of the data set, so that the times of both are distributed alike.
        self.lengths = np.minimum(store.lengths, s.max_num_frames)
        self.real_times.allowed_spans(int(self.lengths.max()))

        g = config.generator.model_dump()
        self.options = {name: g.pop(name) for name in ("z_dim", "w_dim", "mapping_layers")} | {
            "synthesis": g,
            "motion": config.motion.model_dump() | {"max_num_frames": s.max_num_frames},
        }
        G = generate.build_generator(self.options, store.resolution).train().requires_grad_(False).to(device)
        D = VideoDiscriminator(
            store.resolution, s.num_frames, max_num_frames=s.max_num_frames, **config.discriminator.model_dump()
        )
        D = D.train().requires_grad_(False).to(device)
        pipe = build_augment(config.ada, device)
        self.loss = StyleGANVLoss(G, D, pipe, config.r1_gamma)
        self.parts = Parts(
            modules={"G": G, "D": D, "G_ema": copy.deepcopy(G).eval()},
            averages={"G_ema": "G"},
            optimizers={
                # There is no lazy regularisation of G, but its Adam is set as if there were, as released.
                "G": adam(G.parameters(), config.lr, config.betas, config.g_reg_interval),
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
        self.clips = Clips(
            store,
            context.seed,
            config.mirror,
            min_length=s.num_frames,
            window=s.max_num_frames,
            sample_times=self.real_times,
        )

    def real_batch(self, micro_step: int, size: int) -> tuple[Tensor, ...]:
        """Real clips uint8 [N, F, 3, R, R] and their times [N, F]."""
        return self.clips.batch(micro_step, size)

    def _fake(self, draws: Draws, n: int) -> Fake:
        device, rng = self.context.device, draws.python("t")
        videos = self.clips.videos
        lengths = [int(self.lengths[videos[rng.randrange(len(videos))]]) for _ in range(n)]
        t = np.stack([self.fake_times.draw(rng, length) for length in lengths])
        noise = self.loss.G.motion_noise(n, float(t.max()), draws.generator("motion_z"))
        return Fake(
            z=draws.randn("z", n, self.loss.G.z_dim, device=device),
            motion_z=noise.to(device),
            t=torch.from_numpy(t).to(device),
            augment=draws.generator("augment_fake"),
        )

    def _generator_main(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        yield from self.loss.generator_main(self._fake(draws, len(real[0])), report)

    def _discriminator_main(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        clips, t = to_float(real[0]), real[1]
        fake = self._fake(draws, len(clips))
        yield from self.loss.discriminator_main(fake, clips, t, draws.generator("augment_real"), report)

    def _discriminator_reg(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        yield from self.loss.discriminator_reg(to_float(real[0]), real[1], draws.generator("augment_real"), report)

    def generator(self) -> generate.StyleGANVGenerator:
        """The averaged networks as they stand."""
        return generate.StyleGANVGenerator(self.parts.modules["G_ema"], self.context.store.fps)  # type: ignore[arg-type]

    def description(self) -> dict[str, Any]:
        """What rebuilds the networks."""
        return {
            "method": "stylegan_v",
            "generator": self.options,
            "resolution": self.context.store.resolution,
            "fps": self.context.store.fps,
        }
