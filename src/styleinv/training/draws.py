"""Counter-based randomness: every draw of step k is a pure function of (seed, k) and of what it is for."""

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from styleinv.nn.host import to_device
from styleinv.rng import python_generator, torch_generator


@dataclass(frozen=True)
class Draws:
    """Random numbers of one group of samples in one phase, drawn on the CPU, independent of the number of processes."""

    seed: int
    step: int
    phase: str
    group: int

    def generator(self, purpose: str) -> torch.Generator:
        """Give torch's CPU generator for `purpose`."""
        return torch_generator(self.seed, self.step, self.phase, self.group, purpose)

    def python(self, purpose: str) -> random.Random:
        """Give Python's generator for `purpose`."""
        return python_generator(self.seed, self.step, self.phase, self.group, purpose)

    def randn(self, purpose: str, *shape: int, device: torch.device | str = "cpu") -> Tensor:
        """Draw standard normals of a shape on the CPU, and move them to `device`."""
        return to_device(torch.randn(shape, generator=self.generator(purpose)), device)
