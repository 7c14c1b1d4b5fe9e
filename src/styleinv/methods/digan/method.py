"""Training DIGAN on pairs of frames (Yu et al. 2022; the paper's baseline, supplement F)."""

import copy
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from styleinv.data.sampling import Clips
from styleinv.generator import to_float
from styleinv.methods.context import Context
from styleinv.methods.digan import generate
from styleinv.methods.digan.discriminator import PairDiscriminator
from styleinv.methods.digan.generate import NetworkConfig, build_generator, load_generator
from styleinv.methods.digan.loss import DIGANLoss
from styleinv.nn.diffaugment import DiffAugmentDraws, Policy, draw, reach_of
from styleinv.nn.host import to_device
from styleinv.nn.precision import HalfDtype
from styleinv.schema import Strict
from styleinv.training.draws import Draws
from styleinv.training.method import Parts, Phase, Report, TrainingConfig, VideoMethod, check_batch
from styleinv.training.schedule import adam

# Shifts of the augmentation, relative to the image.
TRANSLATION = 0.125

__all__ = ["Config", "create", "load_generator"]


class DiscriminatorConfig(Strict):
    """Sizes of both discriminators, which are StyleGAN2's."""

    channel_base: int = Field(32768, ge=1)
    channel_max: int = Field(512, ge=1)
    num_fp16_res: int = Field(4, ge=0)
    half_dtype: HalfDtype = "float16"
    conv_clamp: float | None = 256
    mbstd_group_size: int = Field(4, ge=1)


class Config(Strict):
    """config/methods/digan.yaml.

    Attributes:
        stride: between the frames of a clip of `nframes`.
        sampling: a pass shows a clip anywhere in each video (`per_video`), or every clip of every block of
            nframes * stride frames (`per_chunk`): `stride` of them, interleaved.
    """

    training: TrainingConfig
    networks: NetworkConfig = NetworkConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    nframes: int = Field(16, ge=2)
    stride: int = Field(1, ge=1)
    sampling: Literal["per_video", "per_chunk"] = "per_video"
    diffaugment: Policy = "color,translation"
    lr: float = Field(0.0025, gt=0)
    betas: tuple[float, float] = (0, 0.99)
    g_reg_interval: int = Field(4, ge=1)
    d_reg_interval: int = Field(16, ge=1)
    r1_gamma: float = Field(1, ge=0)
    mirror: bool = True


def draw_times(rng: np.random.Generator) -> np.ndarray:
    """Draw the two times of a pair, Beta(2, 1) and Beta(1, 2), sorted: float64 [2] in [0, 1] (clip lengths)."""
    return np.sort([rng.beta(2, 1), rng.beta(1, 2)])


def frames_at(times: np.ndarray, nframes: int) -> np.ndarray:
    """Choose the frames of a real pair: floor(nframes * time), sorted; both may be the same."""
    return np.sort(np.minimum((np.asarray(times) * nframes).astype(np.int64), nframes - 1), axis=-1)


class DIGAN(VideoMethod):
    """The implicit generator against a discriminator of images and one of pairs."""

    frames_per_sample = 2

    def __init__(self, config: Config, context: Context):
        self.config, self.context, self.training = config, context, config.training
        store, device, d = context.store, context.device, config.discriminator
        check_batch(config.training, [d.mbstd_group_size], context.world_size)
        self.resolution = store.resolution
        G = build_generator(config.networks, self.resolution).train().requires_grad_(False).to(device)
        D = PairDiscriminator(self.resolution, **d.model_dump()).train().requires_grad_(False).to(device)
        self.loss = DIGANLoss(G, D, config.diffaugment, config.r1_gamma)
        self.parts = Parts(
            modules={"G": G, "D": D, "G_ema": copy.deepcopy(G).eval()},
            averages={"G_ema": "G"},
            optimizers={
                # There is no lazy regularisation of G, but its Adam is set as if there were, as released.
                "G": adam(G.parameters(), config.lr, config.betas, config.g_reg_interval),
                "D": adam(D.parameters(), config.lr, config.betas, config.d_reg_interval),
            },
        )
        self.phases = [
            Phase("Gmain", "G", self._generator_main),
            Phase("Dmain", "D", self._discriminator_main),
            Phase("Dreg", "D", self._discriminator_reg, config.d_reg_interval),
        ]

        # A clip is `nframes` frames, `stride` apart; two of them are seen.
        by_chunk, stride = config.sampling == "per_chunk", config.stride
        window = config.nframes * stride if by_chunk else (config.nframes - 1) * stride + 1
        self.clips = Clips(
            store,
            context.seed,
            config.mirror,
            min_length=window,
            window=window,
            sample_times=self._draw_real,
            interleaved=stride if by_chunk else 0,
        )

    def _draw_real(self, rng: np.random.Generator, window: int) -> np.ndarray:
        return frames_at(draw_times(rng), self.config.nframes) * self.config.stride

    def real_batch(self, micro_step: int, size: int) -> tuple[Tensor, ...]:
        """Return pairs uint8 [N, 2, 3, R, R] and their frame numbers [N, 2]."""
        return self.clips.batch(micro_step, size)

    def _real(self, real: tuple[Tensor, ...]) -> Tensor:
        pairs = to_float(real[0]).flatten(1, 2)
        gap = (real[1][:, 1] - real[1][:, 0]) / ((self.config.nframes - 1) * self.config.stride)
        return torch.cat([pairs, gap.to(pairs)[:, None, None, None].expand(-1, 1, *pairs.shape[2:])], dim=1)

    def _fake(self, draws: Draws, n: int) -> tuple[Tensor, Tensor, Tensor]:
        device, net = self.context.device, self.config.networks
        rngs = [np.random.default_rng(group.python("t").getrandbits(63)) for group in draws.each]
        drawn = np.stack([draw_times(rng) for rng in rngs for _ in range(n // len(rngs))])
        times = to_device(torch.from_numpy(drawn).float(), device)
        z, z_motion = (draws.randn(name, n, w, device=device) for name, w in (("z", net.z_dim), ("motion", net.w_dim)))
        return z, z_motion, times

    def _augment(self, draws: Draws, n: int, purpose: str) -> DiffAugmentDraws:
        reach = reach_of(self.resolution, TRANSLATION)
        return draw(n, self.resolution, self.resolution, reach, draws.generator(purpose))

    def _generator_main(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        n = len(real[0])
        yield from self.loss.generator_main(*self._fake(draws, n), self._augment(draws, n, "augment"), report)

    def _discriminator_main(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        n = len(real[0])
        augments = self._augment(draws, n, "augment_fake"), self._augment(draws, n, "augment_real")
        yield from self.loss.discriminator_main(self._real(real), *self._fake(draws, n), *augments, report)

    def _discriminator_reg(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        augment = self._augment(draws, len(real[0]), "augment_real")
        yield from self.loss.discriminator_reg(self._real(real), augment, report)

    def generator(self) -> generate.DIGANGenerator:
        """Return a maker of videos from the averaged networks as they stand."""
        c = self.config
        return generate.DIGANGenerator(
            self.parts.modules["G_ema"],  # type: ignore[arg-type]
            (c.nframes - 1) * c.stride,
            self.context.store.fps,
        )

    def sample_times(self) -> Tensor:
        """Return eight moments of a clip of the training length."""
        return torch.linspace(0, (self.config.nframes - 1) * self.config.stride, 8)

    def description(self) -> dict[str, Any]:
        """Describe what rebuilds the networks."""
        c = self.config
        return {
            "method": "digan",
            "networks": c.networks.model_dump(mode="json"),
            "resolution": self.resolution,
            "clip_frames": (c.nframes - 1) * c.stride,
            "fps": self.context.store.fps,
        }


create = DIGAN
