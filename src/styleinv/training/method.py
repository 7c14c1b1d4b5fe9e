"""What a method tells the training loop: modules, averages, optimisers and phases."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from styleinv.generator import VideoGenerator
from styleinv.nn.augment import AugmentPipe
from styleinv.nn.layers import running_means
from styleinv.nn.precision import Precision, allow_tf32, why_not
from styleinv.schema import Strict
from styleinv.training.ada import AdaConfig
from styleinv.training.draws import Draws
from styleinv.training.ema import ema_beta

Report = Callable[[str, Tensor], None]


class TrainingConfig(Strict):
    """Settings of the loop itself; every method's YAML has the same block.

    Attributes:
        batch: samples per step over all processes. It consists of groups, which processes share out; gradients are
            averaged over them.
        group_size: samples that share random draws and statistics (BatchNorm, minibatch standard deviation, means in a
            loss): 8 on each GPU in the released recipe. A smaller batch is one group.
        batch_gpu: samples of a group whose activations stay on the GPU; those of the others wait in host memory for
            the backward pass. A matter of memory alone; null keeps them all.
        groups_at_once: groups of a process that are computed in one pass, at most all it has: larger operations, and
            fewer of them, in as many times the memory. Draws and statistics stay those of each group, so that the
            numbers are the same but for rounding.
        raw_cache: keep the data set's frames decoded under results/cache/raw, R * R * 3 bytes each, and copy them from
            there: for data that decoding would hold up. The numbers are the same.
        total_kimg: length in thousands of images (StyleInV counts every frame shown).
        ema_kimg: half-life of the averaged weights.
        ema_rampup: shortens the half-life early on; null for none.
        tick_kimg: between two rows of curves.csv.
        snapshot_ticks: between two sample pictures.
        checkpoint_minutes: between two resumable checkpoints.
        precision: `float32`; `tf32`, in which a GPU computes all products and convolutions of float32; or `bfloat16`,
            in which encoders compute (inversion and StyleInV). The half types of generators and discriminators are
            settings of theirs.
    """

    batch: int = Field(ge=1)
    group_size: int = Field(8, ge=1)
    batch_gpu: int | None = Field(None, ge=1)
    groups_at_once: int = Field(1, ge=1)
    raw_cache: bool = False
    total_kimg: float = Field(gt=0)
    ema_kimg: float = Field(20, gt=0)
    ema_rampup: float | None = None
    tick_kimg: float = Field(4, gt=0)
    snapshot_ticks: int = Field(50, ge=1)
    checkpoint_minutes: float = Field(15, ge=0)
    precision: Precision = "float32"

    @property
    def group(self) -> int:
        """The samples of a group."""
        return min(self.group_size, self.batch)

    @property
    def groups(self) -> int:
        """The groups of a step, over all processes."""
        return self.batch // self.group

    def groups_in_pass(self, processes: int) -> int:
        """The groups that a process computes at once."""
        return min(self.groups_at_once, self.groups // processes)

    def most_groups(self, samples: int, processes: int = 1) -> int:
        """Compute the largest `groups_at_once` of a process where so many samples fit, at least 1."""
        share = self.groups // processes
        return max(n for n in range(1, share + 1) if n == 1 or (share % n == 0 and n * self.group <= samples))

    @property
    def kept(self) -> float:
        """The share of a group's activations that stay on the GPU."""
        return min(1.0, (self.batch_gpu or self.group) / self.group)


@dataclass
class Phase:
    """One kind of update.

    Attributes:
        name: as in StyleGAN2-ADA, e.g. `Gmain`, `Dreg`.
        optimizer: name of the optimiser that steps; its parameters get gradients.
        interval: runs at steps divisible by it; its loss is multiplied by it (lazy regularisation).
        loss: (real data, draws, report) -> scalar terms, each back-propagated when it is yielded. Data and draws are of
            one group, or of several that lie one after another; a term is the mean over groups of what each gives
            alone. What looks across samples asks `nn.groups`.
    """

    name: str
    optimizer: str
    loss: Callable[[tuple[Tensor, ...], Draws, Report], Iterator[Tensor]]
    interval: int = 1


@dataclass
class Parts:
    """The state of a method.

    Attributes:
        modules: networks by name; all are saved in the model.
        averages: averaged network -> the network it follows.
        average_buffers: averages `copy` the buffers of their network, `follow` them as parameters, or `keep` their own.
        tensors: further running means, such as that of path lengths.
    """

    modules: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    averages: dict[str, str] = field(default_factory=dict)
    average_buffers: Literal["copy", "follow", "keep"] = "copy"
    tensors: dict[str, Tensor] = field(default_factory=dict)
    augment: AugmentPipe | None = None
    ada: AdaConfig | None = None

    @property
    def step_means(self) -> list[Tensor]:
        """Running means that move once an update, by the mean of what each group of all processes makes of them.

        The statistics of BatchNorm are not among them: every group moves those in turn.
        """
        return [*self.tensors.values(), *(t for m in self.modules.values() if m.training for t in running_means(m))]


class Method(ABC):
    """A method in training.

    Attributes:
        training: the loop's configuration.
        parts: networks, averages, optimisers.
        phases: updates in the order they run in.
        images_per_sample: how many images one sample of the batch counts for (StyleInV: frames per video).
        frames_per_sample: frames of one sample that a discriminator sees, where that is another number.
        has_encoder: it computes what the precision `bfloat16` is for.
        several_groups: a pass can take more than one group; if not, it is refused.
    """

    training: TrainingConfig
    parts: Parts
    phases: list[Phase]
    images_per_sample: int = 1
    frames_per_sample: int | None = None
    has_encoder: bool = False
    several_groups: bool = True

    @abstractmethod
    def real_batch(self, number: int, size: int) -> tuple[Tensor, ...]:
        """Return the real data of a group, on the CPU: a function of its number within the run."""

    def ema_beta(self, step: int) -> float:
        """Return the decay of averaged weights after step number `step`, from 0; by default by a half-life in kimg."""
        training = self.training
        nimg = step * training.batch * self.images_per_sample
        return ema_beta(training.batch, training.ema_kimg, training.ema_rampup, nimg)

    @abstractmethod
    def sample_images(self) -> np.ndarray:
        """Make a fixed picture of what the run makes: uint8 [rows, columns, H, W, 3]."""

    def sample_clips(self) -> tuple[np.ndarray, float] | None:
        """Make fixed clips uint8 [N, T, H, W, 3], and tell their frame rate; None for methods that make no videos."""
        return None

    @abstractmethod
    def description(self) -> dict[str, Any]:
        """Describe the networks of the saved model, as JSON, so that they can be rebuilt."""


class VideoMethod(Method):
    """A method that makes videos; its samples follow from its generator.

    Attributes:
        sample_length: frames of each sample clip.
    """

    sample_length: int = 128

    @abstractmethod
    def generator(self) -> VideoGenerator:
        """Return a maker of videos from the averaged networks as they stand."""

    def sample_times(self) -> Tensor:
        """Return the [8] moments, in frames, of each row of the sample picture."""
        return torch.arange(8) * 16

    def sample_images(self) -> np.ndarray:
        """Make four videos, one per row."""
        return _channels_last(self.generator().videos(range(4), self.sample_times(), "round"))

    def sample_clips(self) -> tuple[np.ndarray, float]:
        """Make nine videos of `sample_length` frames."""
        generator = self.generator()
        return _channels_last(generator.videos(range(9), torch.arange(self.sample_length), "round")), generator.fps


def _channels_last(videos: Tensor) -> np.ndarray:
    return videos.permute(0, 1, 3, 4, 2).numpy()


def check_batch(training: TrainingConfig, mbstd_group_sizes: Sequence[int], world: int) -> None:
    """Refuse impossible batch sizes.

    Raises:
        ValueError: naming the numbers.
    """
    if training.batch % training.group:
        raise ValueError(f"batch {training.batch} is not a multiple of group_size {training.group}")
    if training.groups % world:
        several = f"{training.groups} group{'s' * (training.groups > 1)} of {training.group} samples"
        raise ValueError(f"{several} cannot be shared by {world} processes")
    together, share = training.groups_in_pass(world), training.groups // world
    if share % together:
        raise ValueError(f"groups_at_once {together} does not divide the {share} groups of a process")
    if together > 1 and training.kept < 1:
        raise ValueError(f"batch_gpu {training.batch_gpu} is for less than a group, groups_at_once {together} for more")
    for size in mbstd_group_sizes:
        if training.group % min(size, training.group):
            raise ValueError(f"group_size {training.group} is not divisible by mbstd_group_size {size}")


def set_precision(method: Method, device: torch.device) -> None:
    """Make the process compute as a training's `precision` says; `bfloat16` is up to the losses.

    Raises:
        ValueError: where the device cannot, or the method has nothing that would.
    """
    precision = method.training.precision
    if reason := why_not(precision, device):
        raise ValueError(f"{precision} {reason}")
    if precision == "bfloat16" and not method.has_encoder:
        raise ValueError("bfloat16 is for encoders, of which this method trains none")
    allow_tf32(precision == "tf32")
