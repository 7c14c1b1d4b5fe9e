"""The inputs that a method gets to train with."""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from styleinv.data.store import FrameStore
from styleinv.files import check_unchanged


@dataclass(frozen=True)
class Context:
    """Inputs of one training run.

    Attributes:
        store: the data set's frames.
        upstream: method -> model file that this method builds on.
        weights: folder of downloaded backbone weights.
    """

    store: FrameStore
    seed: int
    device: torch.device
    world_size: int = 1
    upstream: dict[str, Path] = field(default_factory=dict)
    weights: Path = Path("results/weights")

    def __post_init__(self) -> None:
        """Refuse models that are not what their trainings wrote; a data set is large, and its hash is recorded."""
        for file in self.upstream.values():
            if file.suffix == ".safetensors":
                check_unchanged(file)
