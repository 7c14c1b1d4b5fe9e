"""The means of reported values between two rows of curves.csv."""

import torch
from torch import Tensor

from styleinv.training.distribution import World


class ReportMeans:
    """Add up reported values by name, on the device, so that reporting never waits for the device."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}

    def report(self, name: str, value: Tensor) -> None:
        """Add every element of `value` to the sum and the count of `name`."""
        value = value.detach().double()
        update = torch.stack([value.sum(), torch.full_like(value.sum(), value.numel())])
        self.sums[name] = self.sums[name] + update if name in self.sums else update

    def means(self, world: World) -> dict[str, float]:
        """Return the means over all processes since the last call, and start afresh."""
        names = sorted(self.sums)
        if not names:
            return {}
        total = world.sum(torch.stack([self.sums[name] for name in names]))
        self.sums = {}
        return {name: float(s / n) for name, (s, n) in zip(names, total, strict=True)}

    def gather(self, world: World) -> None:
        """Bring the sums of all processes to rank 0, for saving."""
        self.sums = {name: world.gather(self.sums[name]).to(world.device) for name in sorted(self.sums)}
