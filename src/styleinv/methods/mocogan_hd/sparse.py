"""The variant of Table 2 #1: MoCoGAN-HD's walk trained as StyleInV is, first-frame-aware and on sparse frames.

No script of it was released. The walk is unrolled to the last sampled time, only the sampled frames are decoded, and
the discriminator is StyleInV's; reconstruction of frame 0 needs no loss, as the walk starts at w_0.
"""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from styleinv.data.sampling import Clips
from styleinv.data.time_sampling import TimeSampling
from styleinv.generator import to_float
from styleinv.methods.context import Context
from styleinv.methods.mocogan_hd import generate
from styleinv.methods.mocogan_hd.motion import MotionGenerator, mutual_information_loss
from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.nn.video_discriminator import VideoDiscriminator
from styleinv.schema import Strict
from styleinv.training.ada import AdaConfig, build_augment
from styleinv.training.adversarial import logistic_fake, logistic_real, squared_gradient
from styleinv.training.draws import Draws
from styleinv.training.method import Parts, Phase, Report, TrainingConfig, VideoMethod, check_batch
from styleinv.training.schedule import adam


class SparseDiscriminatorConfig(Strict):
    """StyleInV's discriminator."""

    concat_res: int = Field(16, ge=4)
    num_frames_div_factor: int = Field(2, ge=1)
    channel_base: int = Field(16384, ge=1)
    channel_max: int = Field(512, ge=1)
    num_fp16_res: int = Field(4, ge=0)
    half_dtype: str = "float16"
    conv_clamp: float | None = 256
    mbstd_group_size: int = Field(8, ge=1)


class SparseConfig(Strict):
    """Key `sparse` of config/methods/mocogan_hd.yaml."""

    discriminator: SparseDiscriminatorConfig = SparseDiscriminatorConfig()
    max_num_frames: int = Field(128, ge=4)
    num_sample: int = Field(3, ge=2)
    max_dist: int = Field(32, ge=3)
    spans: Literal["uniform", "powers_of_two"] = "powers_of_two"
    ada: AdaConfig = AdaConfig()
    lr: float = Field(1e-4, gt=0)
    lr_discriminator: float = Field(2e-3, gt=0)
    betas: tuple[float, float] = (0, 0.99)
    r1_gamma: float = Field(1, ge=0)
    lambda_w_reg: float = Field(0.05, ge=0)
    lambda_mutual: float = Field(0, ge=0)
    d_reg_interval: int = Field(16, ge=1)
    mirror: bool = True


class SparseMoCoGANHD(VideoMethod):
    """The walk against the sparse video discriminator; the first frame shown is G(w_0)."""

    def __init__(
        self,
        config: SparseConfig,
        training: TrainingConfig,
        context: Context,
        G: Generator,
        R: MotionGenerator,
        described: dict[str, Any],
    ):
        self.config, self.context, self.training, self.described = config, context, training, described
        self.G, self.R = G, R
        d, device, store = config.discriminator, context.device, context.store
        check_batch(training, [d.mbstd_group_size], context.world_size)
        self.times = TimeSampling(config.num_sample, True, config.max_num_frames, config.max_dist, False, config.spans)
        self.images_per_sample = self.times.num_frames
        self.D = VideoDiscriminator(
            store.resolution, self.times.num_frames, max_num_frames=config.max_num_frames, **d.model_dump()
        )
        self.D = self.D.train().requires_grad_(False).to(device)
        self.pipe = build_augment(config.ada, device)
        self.parts = Parts(
            modules={"R": R, "D": self.D, "G": G},
            optimizers={
                "R": adam(R.parameters(), config.lr, config.betas),
                "D": adam(self.D.parameters(), config.lr_discriminator, config.betas, config.d_reg_interval),
            },
            augment=self.pipe,
            ada=config.ada,
        )
        self.phases = [
            Phase("Gmain", "R", self._main),
            Phase("Dmain", "D", self._discriminator_main),
            Phase("Dreg", "D", self._discriminator_reg, config.d_reg_interval),
        ]
        self.clips = Clips(
            store,
            context.seed,
            config.mirror,
            config.max_num_frames,
            config.max_num_frames,
            self.times,
        )

    def real_batch(self, micro_step: int, size: int) -> tuple[Tensor, ...]:
        """Real clips uint8 [N, F, 3, R, R] and their times [N, F]."""
        return self.clips.batch(micro_step, size)

    def _fake(self, draws: Draws, n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(frames [N F, 3, R, R], times [N, F], w [N, F, w_dim], mutual information loss)."""
        device, rng = self.context.device, draws.python("t")
        t = np.stack([self.times.draw(rng) for _ in range(n)])
        with torch.no_grad():
            w0 = self.G.mapping(draws.randn("z", n, self.G.z_dim, device=device))[:, 0]
        e = draws.randn("e", int(t.max()), n, self.R.z_dim, device=device)
        w, recovered = self.R(w0, e)
        mutual = mutual_information_loss(recovered.flatten(0, 1), e.transpose(0, 1).flatten(0, 1))
        times = torch.from_numpy(t).to(device)
        chosen = w.gather(1, times.long()[:, :, None].expand(-1, -1, w.shape[2]))
        ws = chosen.flatten(0, 1)[:, None].expand(-1, self.G.num_ws, -1)
        return self.G.synthesis(ws, noise_mode="const"), times, chosen, mutual

    def _score(self, frames: Tensor, t: Tensor, draws: Draws, purpose: str) -> Tensor:
        clips = frames.reshape(t.shape[0], -1, *frames.shape[2:])
        if self.pipe is not None:
            clips = self.pipe(clips, draws.generator(purpose))
        return self.D(clips, t)

    def _main(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        frames, t, w, mutual = self._fake(draws, len(real[0]))
        loss = F.softplus(-self._score(frames, t, draws, "augment_fake")).mean()
        drift = (w[:, 1:] - w[:, :1]).norm(dim=2).mean()
        report("Loss/G/loss", loss)
        report("Loss/G/w_reg", drift)
        report("Loss/G/mutual", mutual)
        yield loss + self.config.lambda_w_reg * drift + self.config.lambda_mutual * mutual

    def _discriminator_main(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        clips, t = to_float(real[0]).flatten(0, 1), real[1]
        with torch.no_grad():
            fake, fake_t, _, _ = self._fake(draws, len(t))
        logits = self._score(fake, fake_t, draws, "augment_fake")
        yield logistic_fake(logits, report).mean()
        logits = self._score(clips, t, draws, "augment_real")
        loss = logistic_real(logits, report).mean()
        report("Loss/D/loss", loss)
        yield loss

    def _discriminator_reg(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        clips, t = to_float(real[0]).requires_grad_(), real[1]
        logits = self._score(clips.flatten(0, 1), t, draws, "augment_real")
        report("Loss/signs/real", logits.sign())
        penalty = squared_gradient(logits, clips)
        report("Loss/r1_penalty", penalty)
        yield (logits * 0 + penalty * (self.config.r1_gamma / 2)).mean()

    def generator(self) -> generate.MoCoGANHDGenerator:
        """The networks as they stand."""
        return generate.MoCoGANHDGenerator(self.G, self.R, self.context.store.fps)

    def sample_times(self) -> Tensor:
        """Over a clip of the training length."""
        return torch.linspace(0, self.config.max_num_frames - 1, 8).round()

    def description(self) -> dict[str, Any]:
        """What rebuilds the networks."""
        return self.described | {"noise_mode": "const"}
