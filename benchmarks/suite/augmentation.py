"""C4: adaptive discriminator augmentation (pipe bgc)."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.counting import counted
from benchmarks.networks import GROUP, RESOLUTION
from benchmarks.rows import at_least, at_most, row
from benchmarks.textbook import Pipe
from benchmarks.timing import assert_equal, ratio
from styleinv.nn.augment import PIPES, AugmentPipe
from styleinv.rng import torch_generator

PROBABILITY = 0.2
DEVICE = torch.device("meta")


class _OnDevice(TorchDispatchMode):
    """Count operations whose result is on the device, and transfers from the host to it."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = self.transfers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        operands = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        if isinstance(out, Tensor) and out.device == DEVICE and not func.is_view:
            self.operations += 1
            self.transfers += any(t.device != DEVICE and t.ndim for t in operands)
        return out


def pipes(device: torch.device | str) -> tuple[AugmentPipe, AugmentPipe]:
    """Build our pipe and the textbook's at the row's probability."""
    made = [kind(**PIPES["bgc"]).to(device) for kind in (AugmentPipe, Pipe)]
    for pipe in made:
        pipe.p = PROBABILITY
    return made[0], made[1]


@row(
    "C4",
    "augmentation of 8 images of 256², pipe bgc; operations and transfers a call",
    at_most("operations on the device", 150, 100, "operations"),
    at_most("reads of the device by the host", 0, 0, "reads"),
    at_most("transfers to the device", None, 1, "transfers"),
    at_most("operations, those of the host included", None, None, "operations"),
    counted=True,
)
def calls() -> list[float]:
    """Count on torch's device without data, where a read raises."""
    images = torch.empty(GROUP, 3, RESOLUTION, RESOLUTION, device=DEVICE)
    pipe, _ = pipes(DEVICE)
    generator = torch_generator("augment")
    reads = 0
    with _OnDevice() as device:
        try:
            pipe(images, generator)
        # What torch raises where data are asked of tensors that have none; the row then says that it does not hold.
        except (NotImplementedError, RuntimeError):
            reads = 1
    every = counted(lambda: pipe(images, generator))
    return [device.operations, reads, device.transfers, every.operations]


@row(
    "C4-time",
    f"the same on the CPU at p = {PROBABILITY}, against filters at the full rate",
    at_least("forward", 1.8, 2.2),
    at_least("forward and backward"),
)
def times() -> list[float]:
    """Measure with the same draws for both."""
    images = torch.rand(GROUP, 3, RESOLUTION, RESOLUTION) * 2 - 1
    forms = dict(zip(("ours", "peer"), pipes("cpu"), strict=True))

    def forward(name: str, x: Tensor = images) -> Tensor:
        return forms[name](x, torch_generator("augment"))

    def backward(name: str) -> Tensor:
        x = images.requires_grad_()
        (grad,) = torch.autograd.grad(forward(name, x).square().sum(), x)
        images.requires_grad_(False)
        return grad

    both = []
    for call in (forward, backward):
        assert_equal("augmentation", call("ours"), call("peer"), 1e-4)
        both.append(ratio(lambda call=call: call("peer"), lambda call=call: call("ours")))
    return both
