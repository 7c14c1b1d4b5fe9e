"""Counter-based randomness: every draw of step k is a pure function of (seed, k) and of what it is for."""

import hashlib
import random
from dataclasses import dataclass

import torch
from torch import Tensor


def key(*parts: object) -> int:
    """A 63-bit seed from a path of names and counters."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


@dataclass(frozen=True)
class Draws:
    """Random numbers of one micro-batch of one phase, drawn on the CPU, independent of the number of processes."""

    seed: int
    step: int
    phase: str
    micro: int

    def generator(self, purpose: str) -> torch.Generator:
        """A CPU generator of its own for `purpose`."""
        return torch.Generator().manual_seed(key(self.seed, self.step, self.phase, self.micro, purpose))

    def python(self, purpose: str) -> random.Random:
        """Python's generator for `purpose`."""
        return random.Random(key(self.seed, self.step, self.phase, self.micro, purpose))

    def randn(self, purpose: str, *shape: int, device: torch.device | str = "cpu") -> Tensor:
        """Standard normals."""
        return torch.randn(shape, generator=self.generator(purpose)).to(device)
