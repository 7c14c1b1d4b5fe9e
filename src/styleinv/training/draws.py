"""Counter-based randomness: every draw of step k is a pure function of (seed, k) and of what it is for."""

import random
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from styleinv.nn.groups import Source
from styleinv.nn.host import to_device
from styleinv.rng import Generators, drawn_by_group, python_generator, torch_generator


@dataclass(frozen=True)
class Draws:
    """Random numbers of some groups of samples in one phase, drawn on the CPU, independent of the number of processes.

    What a group draws does not depend on which others it is drawn with; those of a pass lie one after another.
    """

    seed: int
    step: int
    phase: str
    groups: tuple[int, ...]

    @property
    def each(self) -> list["Draws"]:
        """The draws of each group alone."""
        return [replace(self, groups=(group,)) for group in self.groups]

    def generator(self, purpose: str) -> Source:
        """Give torch's CPU generator for `purpose`, or one for each of several groups."""
        generators = [torch_generator(self.seed, self.step, self.phase, group, purpose) for group in self.groups]
        return generators[0] if len(generators) == 1 else Generators(tuple(generators))

    def python(self, purpose: str) -> random.Random:
        """Give Python's generator for `purpose` of a single group."""
        (group,) = self.groups
        return python_generator(self.seed, self.step, self.phase, group, purpose)

    def randn(self, purpose: str, *shape: int, device: torch.device | str = "cpu", dim: int = 0) -> Tensor:
        """Draw standard normals of a shape on the CPU, and move them to `device`; `dim` counts the rows of samples."""
        drawn = drawn_by_group(
            lambda rows, generator: torch.randn([*shape[:dim], rows, *shape[dim + 1 :]], generator=generator),
            *(shape[dim], self.generator(purpose), dim),
        )
        return to_device(drawn, device)
