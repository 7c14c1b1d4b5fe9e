"""One recipe for video GANs that train on a few frames of each video (StyleGAN-V; paper section 3.4).

Real and generated clips show some frames at sparse times, and the sparse video discriminator sees them together with
the time between them. StyleGAN-V, StyleInV and one variant of MoCoGAN-HD share this; each brings its generator, the
loss of its generator, and what the discriminator sees of it.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from styleinv.data.sampling import Clips
from styleinv.data.time_sampling import TimeSampling
from styleinv.generator import to_float
from styleinv.methods.context import Context
from styleinv.nn.augment import Augment
from styleinv.nn.groups import Source
from styleinv.nn.video_discriminator import DiscriminatorConfig, VideoDiscriminator
from styleinv.schema import Strict
from styleinv.training.ada import AdaConfig, build_augment
from styleinv.training.adversarial import logistic_d, r1, report_scores
from styleinv.training.draws import Draws
from styleinv.training.method import Parts, Phase, Report, TrainingConfig, VideoMethod, check_batch
from styleinv.training.schedule import adam


class SamplingConfig(Strict):
    """Sparse training times of clips of up to `max_num_frames` frames; see `TimeSampling`."""

    max_num_frames: int = Field(128, ge=4)
    max_dist: int = Field(32, ge=3)
    spans: Literal["uniform", "powers_of_two"] = "uniform"

    def times(self, num_sample: int, add_0: bool, fractional: bool = False) -> TimeSampling:
        """Draw `num_sample` times of a clip, after frame 0 where `add_0`."""
        return TimeSampling(num_sample, add_0, self.max_num_frames, self.max_dist, fractional, self.spans)


class SparseVideoConfig(Strict):
    """Settings that all trainings of the recipe have."""

    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    ada: AdaConfig = AdaConfig()
    betas: tuple[float, float] = (0, 0.99)
    r1_gamma: float = Field(1, ge=0)
    d_reg_interval: int = Field(16, ge=1)
    mirror: bool = True


@dataclass(frozen=True)
class ClipInputs:
    """Inputs of a generated group of B clips.

    Attributes:
        z: content noise [B, z_dim].
        motion_z: motion noise, as the method's generator takes it.
        t: frame times [B, F].
        noise: CPU generator, or keys, of the synthesis noise in `random` mode.
        augment: CPU generator of the augmentation.
    """

    z: Tensor
    motion_z: Tensor
    t: Tensor
    noise: Source | None = None
    augment: Source | None = None


class SparseVideoLoss(ABC):
    """The terms of each phase; every term is to be back-propagated before the next is asked for.

    Args:
        D: takes clips [B, F * 3, R, R] and times [B, F], and gives logits [B].
        augment: one augmentation for all frames of a clip; None for none.
    """

    def __init__(self, D: nn.Module, augment: Augment | None, r1_gamma: float):
        self.D, self.augment, self.r1_gamma = D, augment, r1_gamma

    @abstractmethod
    def generator_main(self, fake: ClipInputs, report: Report) -> Iterator[Tensor]:
        """Yield the terms of the generator."""

    @abstractmethod
    def generated_clips(self, fake: ClipInputs) -> tuple[Tensor, Tensor]:
        """Generate clips [B, F, 3, R, R] and their times [B, F], as the discriminator sees them."""

    def score(self, clips: Tensor, t: Tensor, generator: Source | None) -> Tensor:
        """Score clips [B, F, 3, R, R] in [-1, 1] at times t [B, F], augmented: [B]."""
        stacked = clips.flatten(1, 2)
        return self.D(stacked if self.augment is None else self.augment(stacked, generator), t)

    def discriminator_main(
        self, fake: ClipInputs, real: Tensor, real_t: Tensor, augment: Source | None, report: Report
    ) -> Iterator[Tensor]:
        """Yield softplus(D(fake)), then softplus(-D(real)), for real [B, F, 3, R, R] in [-1, 1] at real_t [B, F]."""
        with torch.no_grad():
            clips, t = self.generated_clips(fake)
        yield from logistic_d(
            lambda: self.score(clips, t, fake.augment), lambda: self.score(real, real_t, augment), report
        )

    def discriminator_reg(
        self, real: Tensor, real_t: Tensor, augment: Source | None, report: Report
    ) -> Iterator[Tensor]:
        """Yield the R1 penalty of clips, with respect to the frames before their augmentation."""
        real = real.detach().requires_grad_()
        logits = self.score(real, real_t, augment)
        report_scores("real", logits, report)
        yield (logits * 0 + self.r1(logits, real, report)).mean()

    def r1(self, logits: Tensor, real: Tensor, report: Report) -> Tensor:
        """Compute gamma / 2 times the squared gradient, summed over all frames and pixels of a clip: [B]."""
        return r1(logits, real, self.r1_gamma, report)


class SparseVideoGAN(VideoMethod):
    """A generator of clips against the sparse video discriminator.

    Args:
        times: of real clips.
        name: of the generator in `parts`, where `<name>_ema` is its average; `<name>main` is its phase.
        generator: the network that is trained, on its device, without gradients.
        optimizer: of the generator.
        frozen: further networks of the model.
        min_length: shorter videos are not used; None takes only those as long as the longest clip.
        discriminator: class of the discriminator.
    """

    loss: SparseVideoLoss

    def __init__(
        self,
        config: SparseVideoConfig,
        training: TrainingConfig,
        context: Context,
        times: TimeSampling,
        name: str,
        generator: nn.Module,
        optimizer: torch.optim.Optimizer,
        lr_discriminator: float,
        frozen: dict[str, nn.Module] | None = None,
        min_length: int | None = None,
        discriminator: type[nn.Module] = VideoDiscriminator,
    ):
        self.context, self.training, self.real_times = context, training, times
        self.images_per_sample = times.num_frames
        store, window = context.store, times.max_num_frames

        # The discriminator comes after the generator: both take their first weights from torch's one stream.
        check_batch(training, [config.discriminator.mbstd_group_size], context.world_size)
        sizes = config.discriminator.model_dump(exclude={"variant"})
        self.D = discriminator(store.resolution, times.num_frames, max_num_frames=window, **sizes)
        self.D = self.D.train().requires_grad_(False).to(context.device)
        self.pipe = build_augment(config.ada, context.device)

        average = f"{name}_ema"
        self.parts = Parts(
            modules={name: generator, "D": self.D, average: copy.deepcopy(generator).eval(), **(frozen or {})},
            averages={average: name},
            optimizers={
                name: optimizer,
                "D": adam(self.D.parameters(), lr_discriminator, config.betas, config.d_reg_interval),
            },
            augment=self.pipe,
            ada=config.ada,
        )
        self.clips = Clips(store, context.seed, config.mirror, min_length or window, window, times)
        self.phases = [
            Phase(f"{name}main", name, self._generator_main),
            Phase("Dmain", "D", self._discriminator_main),
            Phase("Dreg", "D", self._discriminator_reg, config.d_reg_interval),
        ]

    @abstractmethod
    def inputs(self, draws: Draws, n: int) -> ClipInputs:
        """Draw the inputs of `n` generated clips."""

    def real_batch(self, number: int, size: int) -> tuple[Tensor, ...]:
        """Return real clips uint8 [N, F, 3, R, R] and their times [N, F]."""
        return self.clips.batch(number, size)

    def draw_times(self, times: TimeSampling, draws: Draws, n: int) -> Tensor:
        """Draw the times of `n` generated clips, [n, F] on the CPU."""
        rngs = [group.python("t") for group in draws.each]
        return torch.from_numpy(np.stack([times.draw(rng) for rng in rngs for _ in range(n // len(rngs))]))

    def _generator_main(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        yield from self.loss.generator_main(self.inputs(draws, len(real[0])), report)

    def _discriminator_main(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        clips, t = to_float(real[0]), real[1]
        fake = self.inputs(draws, len(clips))
        yield from self.loss.discriminator_main(fake, clips, t, draws.generator("augment_real"), report)

    def _discriminator_reg(self, real: tuple[Tensor, ...], draws: Draws, report: Report) -> Iterator[Tensor]:
        yield from self.loss.discriminator_reg(to_float(real[0]), real[1], draws.generator("augment_real"), report)
