"""The steps of the GPU tier: proofs, then measurements, each with the figures that it must give."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch

from benchmarks.rows import Figure, Row
from styleinv.config import lineage
from styleinv.paths import Paths
from styleinv.runs import Run, parse_run
from styleinv.stages.cost import untrained
from styleinv.stages.setting import Setting
from styleinv.training.distribution import World
from styleinv.training.measure import Cost, measure
from styleinv.training.method import Method


@dataclass(frozen=True)
class Study:
    """Untrained methods at one scale, on frames of noise.

    Attributes:
        scale: file of the scale.
        dataset: whose configuration they have.
        folder: where models and frames lie.
    """

    scale: Path
    dataset: str
    folder: Path

    def run(self, method: str) -> Run:
        """Name the run of a method."""
        return parse_run(f"{self.dataset}/{method}")

    def method(self, name: str, device: torch.device) -> Method:
        """Build a method at its first step, with the same weights on every device."""
        setting = Setting(self.scale, Paths(self.folder))
        world = World("cpu")
        world.device = device
        *below, run = lineage(self.run(name), self.scale.parent)
        for part in below:
            if not setting.paths.model(part).exists():
                untrained(part, setting, setting, world)
        return untrained(run, setting, setting, world)

    @property
    def paths(self) -> Paths:
        """Where its results lie."""
        return Paths(self.folder)


@dataclass(frozen=True)
class Bench:
    """What the steps have to work with.

    Attributes:
        device: that is proven and measured.
        small: the miniature study of the tests, for proofs.
        large: the study that is measured, of the paper's size unless a test takes a smaller one.
        larger: the image generator at four times the resolution; None leaves its step out.
        textbook: resolution of networks that are compared with their textbook forms.
        videos: that generation and scores are measured on.
        golden: folders of the golden cases that are computed; None for all that are quick.
    """

    device: torch.device
    small: Study
    large: Study
    larger: Study | None
    textbook: int = 256
    videos: int = 8
    golden: Sequence[Path] | None = None
    costs: dict[str, Cost] = field(default_factory=dict)

    def cost(self, study: Study, name: str) -> Cost:
        """Measure a training once."""
        key = f"{study.scale.stem}/{name}"
        if key not in self.costs:
            self.costs[key] = measure(study.method(name, self.device), self.device)
        return self.costs[key]

    @cached_property
    def name(self) -> str:
        """The device in words."""
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "CPU"


@dataclass(frozen=True)
class Step:
    """A step of the tier.

    Attributes:
        row: name, title, figures and what they must be; its `run` is not used.
        proof: that something is right; measurements wait for all of these.
        seconds: that it is believed to take on one H200.
        work: gives the values of the figures.
    """

    row: Row
    proof: bool
    seconds: float
    work: Callable[[Bench], Sequence[float]]


STEPS: dict[str, Step] = {}


def step(
    name: str, title: str, *figures: Figure, seconds: float, proof: bool = False
) -> Callable[[Callable[[Bench], Sequence[float]]], Callable[[Bench], Sequence[float]]]:
    """Register a function as a step."""

    def register(work: Callable[[Bench], Sequence[float]]) -> Callable[[Bench], Sequence[float]]:
        assert name not in STEPS, f"two steps are called {name}"
        STEPS[name] = Step(Row(name, title, False, figures, list), proof, seconds, work)
        return work

    return register


def in_order() -> Iterator[Step]:
    """Give the proofs, then the measurements."""
    yield from (one for one in STEPS.values() if one.proof)
    yield from (one for one in STEPS.values() if not one.proof)
