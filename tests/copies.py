"""What passes between host and device, seen on a machine that has no GPU.

The device is torch's `meta`, whose tensors have a shape and no data: whatever would read one on the host (`.item()`,
`.tolist()`, `bool()`, `.cpu()`, `nonzero`) raises, while tensors on the host keep their data.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from styleinv.runs import Run
from styleinv.stages.setting import Setting
from styleinv.stages.train import build
from styleinv.training.distribution import World
from styleinv.training.loop import _Loop

META = torch.device("meta")
_COPIES = {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default}


class Copies:
    """Note the bytes of every copy from the host to the device.

    Raises:
        AssertionError: where one operation takes tensors of both, or numbers of Python become a tensor of the device.
    """

    def __init__(self) -> None:
        self.to_device: list[int] = []

    def __enter__(self) -> "Copies":
        self._modes = ExitStack()
        self._modes.enter_context(_Constants())
        self._modes.enter_context(_Operations(self.to_device))
        return self

    def __exit__(self, *error: Any) -> None:
        self._modes.close()


class _Constants(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func in (torch.tensor, torch.as_tensor, torch.asarray):
            assert out.device.type == "cpu" or isinstance(args[0], Tensor), f"{func.__name__}(..., device=...)"
        return out


class _Operations(TorchDispatchMode):
    def __init__(self, to_device: list[int]):
        super().__init__()
        self.to_device = to_device

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if func in _COPIES:
            if tensors[-1].device.type == "cpu" and out.device.type != "cpu":
                self.to_device.append(tensors[-1].nbytes)
        else:
            places = {tensor.device.type for tensor in tensors if tensor.device.type != "cpu" or tensor.ndim}
            assert len(places) < 2, f"{func} takes tensors of {places}"
        return out


def first_step(run: Run, setting: Setting, folder: Path) -> None:
    """Take the first step of a training on a device without data: all phases, their optimisers and averages.

    Raises:
        NotImplementedError, RuntimeError: something is read; ADA may read, once in its interval.
    """
    world = World("cpu")
    world.device = META
    method = build(run, setting, world)
    for optimizer in method.parts.optimizers.values():
        for group in optimizer.param_groups:
            group["fused"] = False  # torch has that form for devices with data alone
    loop = _Loop(method, folder, 0, "", world, 0, lambda: None, None, False)
    real = loop._real(0)
    with Copies() as copies:
        loop._advance(real)
    assert copies.to_device and all(p.device == META for m in method.parts.modules.values() for p in m.parameters())
    assert loop.means.sums and all(value.device == META for value in loop.means.sums.values())
    ada = method.parts.ada
    if method.parts.augment is not None and ada is not None and ada.mode == "ada":
        loop.step = ada.interval - 1
        with pytest.raises(NotImplementedError, match="no data"):
            loop._control_augmentation()
