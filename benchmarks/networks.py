"""The networks of the paper at 256 x 256 with random weights, and their losses."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from styleinv.methods.sparse_video import ClipInputs
from styleinv.methods.stylegan2.discriminator import Discriminator
from styleinv.methods.stylegan2.loss import StyleGAN2Loss
from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.methods.styleinv.loss import StyleInVLoss
from styleinv.methods.styleinv.model import StyleInV
from styleinv.nn.precision import Precision
from styleinv.nn.video_discriminator import VideoDiscriminator
from styleinv.training.draws import Draws

RESOLUTION, FRAMES, LATENT = 256, 4, 512
# Supplement F: samples of one group, whose statistics and draws are common.
GROUP = 8
HALVES = {"num_fp16_res": 4, "conv_clamp": 256}

Term = Callable[[], Iterator[Tensor]]


def ignore(name: str, value: Tensor) -> None:
    """Take what a loss reports, and keep nothing."""


def generator(resolution: int = RESOLUTION, halves: bool = False) -> Generator:
    """Build the image generator; `halves` computes as it is trained on a GPU."""
    return Generator(LATENT, LATENT, resolution, synthesis_kwargs=HALVES if halves else {}).requires_grad_(False)


def discriminator(resolution: int = RESOLUTION) -> Discriminator:
    """Build the image discriminator."""
    return Discriminator(resolution, epilogue_kwargs={"mbstd_group_size": GROUP}).requires_grad_(False)


def back_propagated(term: Term, network: nn.Module) -> Callable[[], None]:
    """Make a call that back-propagates every term of a phase into one network."""

    def call() -> None:
        network.requires_grad_(True)
        network.zero_grad(set_to_none=True)
        for loss in term():
            loss.backward()
        network.requires_grad_(False)

    return call


def image_phases(batch: int = GROUP) -> dict[str, Callable[[], None]]:
    """Make one update of every phase of StyleGAN2 in float32 on `batch` images, without augmentation and optimiser."""
    G, D = generator().train(), discriminator().train()
    loss, draws = StyleGAN2Loss(G, D, style_mixing_prob=0), Draws(0, 0, "", (0,))
    z, real = torch.randn(batch, LATENT), torch.randn(batch, 3, RESOLUTION, RESOLUTION)
    return {
        "Gmain": back_propagated(lambda: loss.generator_main(z, draws, ignore), G),
        "Dmain": back_propagated(lambda: loss.discriminator_main(z, real, draws, ignore), D),
        "R1": back_propagated(lambda: loss.discriminator_reg(real, draws, ignore), D),
        "path length": back_propagated(lambda: loss.generator_reg(z, draws, ignore), G),
    }


def motion_generator() -> StyleInV:
    """Build StyleInV."""
    return StyleInV(mapping={"motion": {}}, encoder={}).requires_grad_(False)


def video_loss(precision: Precision) -> StyleInVLoss:
    """Build the loss of StyleInV as it is trained, half types in G and D."""
    D = VideoDiscriminator(RESOLUTION, FRAMES, **HALVES).requires_grad_(False)
    return StyleInVLoss(generator(halves=True), motion_generator().train(), D, precision=precision)


def clip_inputs(SI: StyleInV, videos: int) -> ClipInputs:
    """Draw the inputs of clips of four frames."""
    t = torch.arange(FRAMES, dtype=torch.float32).repeat(videos, 1)
    anchors = SI.mapping.motion_encoder.traj_len(127)
    return ClipInputs(torch.randn(videos, LATENT), torch.randn(videos, anchors, LATENT), t)
