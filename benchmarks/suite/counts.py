"""C1, C2, C3, C7: what the trainings cost on every machine, counted on tensors without data."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.counting import Counts, counted, without_data
from benchmarks.networks import (
    FRAMES,
    GROUP,
    LATENT,
    RESOLUTION,
    clip_inputs,
    ignore,
    image_phases,
    motion_generator,
    video_loss,
)
from benchmarks.rows import at_most, row
from styleinv.nn.precision import Precision, computing
from styleinv.training.measure import counting_kept

# Of StyleGAN2's lazy regularisation: path length every 4 steps, R1 every 16.
SHARES = {"Gmain": 1, "Dmain": 1, "path length": 1 / 4, "R1": 1 / 16}


@functools.cache
def phases() -> dict[str, Counts]:
    """Count every phase of StyleGAN2 on a group of 8 images, in float32."""
    with without_data():
        return {name: counted(call) for name, call in image_phases().items()}


@row(
    "C1",
    "dense GFLOP an image of StyleGAN2's phases, against the published networks",
    at_most("Gmain", 151.0, None, "GFLOP"),
    at_most("Dmain", 214.4, None, "GFLOP"),
    at_most("R1", 185.1, None, "GFLOP"),
    at_most("path length", 89.6, None, "GFLOP"),
    counted=True,
)
def flops() -> list[float]:
    """Count the products of convolutions and matrices."""
    return [phases()[name].flops / GROUP / 1e9 for name in ("Gmain", "Dmain", "R1", "path length")]


@row("C2", "bytes an image that a step of StyleGAN2 moves, float32", at_most("all phases", 10, 8.5, "GB"), counted=True)
def moved() -> list[float]:
    """Count operands and results of all operations, each phase at its interval."""
    return [sum(phases()[name].bytes * share for name, share in SHARES.items()) / GROUP / 1e9]


@row(
    "C3",
    "operations of an iteration of StyleGAN2, without augmentation and optimiser",
    at_most("all phases", 2900, 2000, "operations"),
    at_most("R1 alone", 700, 500, "operations"),
    counted=True,
)
def operations() -> list[float]:
    """Count what a GPU would launch."""
    return [sum(phases()[name].operations * share for name, share in SHARES.items()), phases()["R1"].operations]


def per_video(call: Callable[[int], object], networks: list[nn.Module]) -> float:
    """Measure what one more video keeps for the backward pass, in GB: the slope between 4 and 8."""
    kept = []
    for videos in (GROUP, GROUP // 2):
        with counting_kept(t for n in networks for t in [*n.parameters(), *n.buffers()]) as most:
            call(videos)
        kept.append(most())
    return (kept[0] - kept[1]) / (GROUP - GROUP // 2) / 1e9


def encoder_keeps(precision: Precision) -> float:
    """Count for the modulated encoder in training mode, four frames a video."""
    encoder = motion_generator().encoder.train().requires_grad_(True)

    def forward(videos: int) -> Tensor:
        x, s = torch.randn(videos, 3, RESOLUTION, RESOLUTION), torch.randn(FRAMES * videos, LATENT)
        with computing(precision, x.device):
            return encoder(x, s.requires_grad_(True))

    return per_video(forward, [encoder])


def step_keeps(precision: Precision) -> float:
    """Count for the generator's phase of StyleInV as it is trained: half types in G and D."""
    loss = video_loss(precision)

    def phase(videos: int) -> Tensor:
        loss.SI.requires_grad_(True)
        return next(loss.generator_main(clip_inputs(loss.SI, videos), ignore))

    return per_video(phase, [loss.G, loss.SI, loss.D])


@row(
    "C7",
    "memory that a video keeps for the backward pass of StyleInV, four frames",
    at_most("encoder, float32", 1.35, None, "GB"),
    at_most("encoder, bfloat16", 0.80, None, "GB"),
    at_most("generator's phase, encoder in float32", 2.2, 1.6, "GB"),
    at_most("generator's phase, encoder in bfloat16", 2.2, 1.6, "GB"),
    counted=True,
)
def kept() -> list[float]:
    """Count every storage once, parameters and buffers left out."""
    both: tuple[Precision, ...] = ("float32", "bfloat16")
    with without_data():
        return [*map(encoder_keeps, both), *map(step_keeps, both)]
