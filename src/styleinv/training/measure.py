"""What a training costs: parameters, memory per video and time, from some groups of its first step."""

import re
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import torch
from torch import Tensor

from styleinv.nn.host import to_device
from styleinv.training.method import Method, Phase
from styleinv.training.update import accumulate, step_optimizer

# Seconds that the timed updates of a phase take at least: a few short ones say little beside other work.
LEAST = 0.5


@dataclass(frozen=True)
class Sizes:
    """What a training is, and what it holds, whatever it runs on.

    Attributes:
        trained, frozen: numbers of parameters; averaged copies and backbones of losses are not counted.
        frames_per_video: frames of one sample that the discriminator sees (1 for images).
        bytes_per_video: what one more sample in the group takes: of allocated memory on a GPU; elsewhere, of
            tensors kept for the backward pass, which is most of it.
        total_kimg: length of the training.
    """

    trained: int
    frozen: int
    frames_per_video: int
    bytes_per_video: int
    total_kimg: float


@dataclass(frozen=True)
class Cost(Sizes):
    """Costs of one training on a device.

    Attributes:
        host_bytes: most host memory that the process has held at once, the program itself included; None where the
            system cannot say.
        fits: most samples whose activations the device's memory holds at once, by what it had left beside networks and
            optimisers; other programs' share is theirs.
        groups_at_once: the largest `training.groups_at_once` of one process by that.
        seconds_per_kimg: time of one process for 1,000 images, all phases at their intervals.
    """

    host_bytes: int | None
    fits: int
    groups_at_once: int
    seconds_per_kimg: float

    @property
    def days(self) -> float:
        """Days that the whole training takes on one device."""
        return self.seconds_per_kimg * self.total_kimg / 86400


def measure(method: Method, device: torch.device, size: int | None = None, repeats: int = 3) -> Cost:
    """Measure a method at its first step; the method is not usable for training afterwards.

    Args:
        size: samples of a group, even; the configuration's if None. Statistics over a group (minibatch standard
            deviation) must allow it.
        repeats: timed updates per phase, after one that is not, and more until `LEAST` seconds; the median counts.
    """
    training = method.training
    size = size or training.group
    group, optimiser = 0.0, 0.0
    slopes = []
    _forget_peak()
    for phase in method.phases:
        slopes.append(_slope(method, phase, device, size))
        seconds, step = _time(method, phase, device, size, repeats)
        group += seconds / phase.interval
        optimiser += step / phase.interval
    per_step = group * training.batch / size + optimiser
    fits = _fitting(slopes, _room(device))
    return Cost(
        **asdict(_sizes(method, slopes)),
        host_bytes=_peak(),
        fits=fits,
        groups_at_once=training.most_groups(fits) if method.several_groups else 1,
        seconds_per_kimg=per_step / (training.batch * method.images_per_sample) * 1000,
    )


def count(method: Method, device: torch.device) -> Sizes:
    """Count what a method holds; on torch's `meta` device, whose tensors have no data, without computing anything.

    Args:
        method: at its first step; not usable for training afterwards.
        device: of its networks.
    """
    return _sizes(method, [_slope(method, phase, device, method.training.group) for phase in method.phases])


def _sizes(method: Method, slopes: list[tuple[int, int]]) -> Sizes:
    parts = method.parts
    trained = {id(p): p for o in parts.optimizers.values() for group in o.param_groups for p in group["params"]}
    networks = [m for name, m in parts.modules.items() if name not in parts.averages]
    everything = {id(p): p for network in networks for p in network.parameters()}
    return Sizes(
        trained=sum(p.numel() for p in trained.values()),
        frozen=sum(p.numel() for key, p in everything.items() if key not in trained),
        frames_per_video=method.frames_per_sample or method.images_per_sample,
        bytes_per_video=max(slope for slope, _ in slopes),
        total_kimg=method.training.total_kimg,
    )


def samples_that_fit(method: Method, device: torch.device, size: int = 2) -> int:
    """Count the samples whose activations the device's memory holds at once, from steps with very few.

    Args:
        method: after a training that did not fit; it is not usable for training afterwards.
        device: of its networks.
        size: samples of the larger of the two groups that are compared.

    Raises:
        torch.OutOfMemoryError, MemoryError: not even these fit.
    """
    return _fitting([_slope(method, phase, device, size) for phase in method.phases], _room(device))


def _fitting(slopes: list[tuple[int, int]], room: int) -> int:
    """Count the samples for which every phase has room, each given as (bytes of a sample, bytes besides)."""
    return min(max(0, room - rest) // max(slope, 1) for slope, rest in slopes)


def _room(device: torch.device) -> int:
    """Bytes that a device can still give this process, its networks and optimisers being there."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available


def _forget_peak() -> None:
    """Let Linux count the most memory of this process anew (`man 5 proc`, clear_refs)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int | None:
    status = Path("/proc/self/status")
    kilobytes = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(kilobytes[1]) * 1024 if kilobytes else None


def _update(method: Method, phase: Phase, device: torch.device, size: int, groups: int = 1) -> list[Tensor]:
    batches = [method.real_batch(group, size) for group in range(groups)]
    real = tuple(to_device(torch.cat(parts), device) for parts in zip(*batches, strict=True))
    return accumulate(method.parts, phase, [(tuple(range(groups)), real)], groups, 0, 0, lambda name, value: None)


def _time(method: Method, phase: Phase, device: torch.device, size: int, repeats: int) -> tuple[float, float]:
    """Time what a group of a pass takes, and the optimiser."""
    groups = method.training.groups_in_pass(1)
    losses: list[float] = []
    steps: list[float] = []
    while len(losses) <= repeats or sum(losses[1:]) + sum(steps[1:]) < LEAST:
        start = _now(device)
        gradients = _update(method, phase, device, size, groups)
        middle = _now(device)
        step_optimizer(method.parts, phase, gradients)
        losses.append(middle - start)
        steps.append(_now(device) - middle)
    return statistics.median(losses[1:]) / groups, statistics.median(steps[1:])


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _slope(method: Method, phase: Phase, device: torch.device, size: int) -> tuple[int, int]:
    """Measure the slope of memory over the size of the group, and what does not grow with it."""
    peak = _allocated if device.type == "cuda" else _kept
    fewer = max(1, size // 2)
    if size == fewer:
        return peak(method, phase, device, size), 0
    most, least = (peak(method, phase, device, n) for n in (size, fewer))
    slope = max(0, (most - least) // (size - fewer))
    return slope, max(0, most - slope * size)


def _allocated(method: Method, phase: Phase, device: torch.device, size: int) -> int:
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    _update(method, phase, device, size)
    return torch.cuda.max_memory_allocated() - before


def _kept(method: Method, phase: Phase, device: torch.device, size: int) -> int:
    """Measure the most bytes that are kept for a backward pass at once, apart from parameters."""
    with counting_kept(p for m in method.parts.modules.values() for p in m.parameters()) as most:
        _update(method, phase, device, size)
    return most()


@contextmanager
def counting_kept(ignored: Iterable[Tensor]) -> Iterator[Callable[[], int]]:
    """Count the bytes that autograd keeps for backward passes, each storage once; tensors need not have data.

    Args:
        ignored: tensors that are there anyway, such as parameters.

    Returns:
        A function that gives the most bytes kept at once so far.
    """
    # The address of the storage itself: that of its data is 0 for all that have none.
    own = {tensor.untyped_storage()._cdata for tensor in ignored}
    alive: dict[int, int] = {}
    most = 0

    class Kept:
        def __init__(self, tensor: Tensor):
            nonlocal most
            self.tensor = tensor
            storage = tensor.untyped_storage()
            self.key = storage._cdata
            if self.key not in own:
                alive[self.key] = max(alive.get(self.key, 0), storage.nbytes())
                most = max(most, sum(alive.values()))

        def __del__(self) -> None:
            alive.pop(self.key, None)

    with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
        yield lambda: most
