"""What a computation costs, counted on tensors without data: operations, bytes moved, FLOPs."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

_CONVOLUTIONS = {torch.ops.aten.convolution, torch.ops.aten.convolution_backward}
# Shapes are asked and tensors are wrapped, nothing is computed.
_FREE = {torch.ops.aten.empty, torch.ops.aten.empty_strided, torch.ops.aten.empty_like, torch.ops.aten.new_empty}


@dataclass
class Counts:
    """What was counted.

    Attributes:
        operations: that compute something; views are free.
        bytes: of their operands and results.
        flops: of products and dense convolutions, two for each multiply-add; filters with a group for every channel
            are left out.
        names: how often each operation ran.
    """

    operations: float = 0
    bytes: float = 0
    flops: float = 0
    names: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.operations + other.operations,
            self.bytes + other.bytes,
            self.flops + other.flops,
            self.names + other.names,
        )

    def __truediv__(self, number: float) -> "Counts":
        return Counts(self.operations / number, self.bytes / number, self.flops / number, self.names)


class _Counting(TorchDispatchMode):
    def __init__(self, counts: Counts):
        super().__init__()
        self.counts = counts

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        packet = func.overloadpacket
        if func.is_view or func.namespace != "aten" or packet in _FREE:
            return out
        tensors = [leaf for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, Tensor)]
        self.counts.operations += 1
        self.counts.names[str(func)] += 1
        self.counts.bytes += sum(math.prod(t.shape) * t.element_size() for t in tensors)
        if packet in flop_registry and not _depthwise(packet, args):
            self.counts.flops += flop_registry[packet](*args, **(kwargs or {}), out_val=out)
        return out


def _depthwise(packet: Any, args: tuple[Any, ...]) -> bool:
    if packet not in _CONVOLUTIONS:
        return False
    x, groups = (args[0], args[8]) if packet is torch.ops.aten.convolution else (args[1], args[9])
    return groups == x.shape[1] > 1


def counted(call: Callable[[], object]) -> Counts:
    """Count what `call` does, backward passes included."""
    counts = Counts()
    with _Counting(counts):
        call()
    return counts


def without_data() -> FakeTensorMode:
    """Make tensors that have a shape and a device and no data; reading one on the host raises."""
    return FakeTensorMode()
