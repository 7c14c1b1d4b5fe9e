"""Proofs: what the GPU computes is what the CPU and the published implementations compute, within stated limits.

Distances are norms of differences, relative to the norm of what is wanted. The limits suppose products of float32
(24 bits), tf32 (11 bits) and bfloat16 (8 bits), summed in another order than on a CPU; GPU's order is not fixed.
"""

import fnmatch
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.gpu.steps import Bench, step
from benchmarks.rows import at_least, at_most
from styleinv import methods
from styleinv.config import lineage
from styleinv.crop import fan, retinaface
from styleinv.data.store import FrameStore
from styleinv.errors import UserError
from styleinv.evaluation.detectors import load_detectors
from styleinv.evaluation.protocol import Protocol
from styleinv.evaluation.score import score
from styleinv.files import sha256, write_text
from styleinv.nn.precision import Precision, allow_tf32, computing, why_not
from styleinv.paths import Paths
from styleinv.rng import drawn_on_host
from styleinv.schema import dump_yaml, merge, read_yaml
from styleinv.stages.model import load_generator_of
from styleinv.stages.setting import Setting
from styleinv.stages.train import train
from styleinv.training.method import Method
from styleinv.training.update import accumulate
from tests.golden.case import ROUNDING_NOISE, Case, deviations, failures
from tests.golden.conftest import HERE, is_pending, load_checkers
from tests.nn.test_precision import LIMITS as BFLOAT16
from tests.project import CHAIN

CPU = torch.device("cpu")
# Of golden outputs.
LIMITS: dict[Precision, float] = {"float32": 1e-3, "tf32": 3e-2}
# Of the gradients of a whole phase between two devices in float32: leaky ReLUs make steps of rounding errors.
GRADIENTS = 1e-2


@contextmanager
def exact() -> Iterator[None]:
    """Compute as deterministically as torch can; what it cannot is a warning that names the operation."""
    deterministic = torch.backends.cudnn.deterministic
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.deterministic = deterministic


class OnDevice(Case):
    """A golden case whose inputs and networks are on a device."""

    def __init__(self, path: Path, device: torch.device):
        super().__init__(path)
        self.device = device

    def tensor(self, name: str) -> Tensor:
        """An input as a tensor."""
        return super().tensor(name).to(self.device)

    def load(self, net: nn.Module, module: str | None = None, prefix: str = "") -> nn.Module:
        """Give a network the weights of the case."""
        return super().load(net, module, prefix).to(self.device)

    def stored(self, got: dict[str, np.ndarray | Tensor]) -> dict[str, np.ndarray]:
        """Bring computed outputs into the form that the case stores."""
        return super().stored({name: v.detach().cpu() if isinstance(v, Tensor) else v for name, v in got.items()})


def _cases(bench: Bench) -> list[Path]:
    folders = bench.golden or sorted(file.parent for file in (HERE / "cases").glob("*/manifest.json"))
    # The largest networks take a minute each on the CPU that makes their weights.
    return [path for path in folders if not {"256", "full"} & set(path.name.replace("-", "_").split("_"))]


def golden(bench: Bench, precision: Precision) -> list[float]:
    """Compute golden cases on the device, and count those that miss a limit and those that were computed there.

    A case whose checker works on the host alone cannot be computed on a GPU: torch refuses to mix tensors of both.

    Raises:
        UserError: the device does not compute in this precision.
        AssertionError: naming the first outputs that miss their limits.
    """
    if reason := why_not(precision, bench.device):
        raise UserError(f"{precision} {reason}", field="precision", cure="Leave this step out, by --only.")
    checkers, deviates = load_checkers(), (HERE / "deviates.txt").read_text()
    missed: list[str] = []
    computed = 0
    allow_tf32(precision == "tf32")
    try:
        for path in _cases(bench):
            case = OnDevice(path, bench.device)
            if is_pending(case) or precision == "bfloat16" and path.name not in BFLOAT16:
                continue
            _loosen(case, precision)
            try:
                with computing(precision, bench.device):
                    got = checkers[case.kind](case)
                wrong = failures(case, got)
            except (RuntimeError, TypeError) as error:
                if bench.device.type == "cpu" or not _mixes(error):
                    raise
                continue
            computed += 1
            meant = {n for deviation in deviations(case, deviates) for n in fnmatch.filter(wrong, deviation.pattern)}
            missed += [f"{path.name}/{n}: {line}" for n, line in wrong.items() if n not in meant]
    finally:
        allow_tf32(False)
    assert not missed, "; ".join(missed[:3])
    return [computed]


def _loosen(case: Case, precision: Precision) -> None:
    """Replace the limits of a case, which hold on a CPU, by those of a precision."""
    if precision == "bfloat16":
        case.limits = {f"out/{name}": {"rel_l2": limit} for name, limit in BFLOAT16[case.path.name].items()}
        return
    kept = {n: limit for n, limit in case.limits.items() if not n.endswith((*ROUNDING_NOISE, "differs_maxdiff"))}
    case.limits = {
        name: limit if limit.get("equal") or "see" in limit else {"rel_l2": LIMITS[precision]}
        for name, limit in kept.items()
    }


def _mixes(error: Exception) -> bool:
    """Whether an error says that tensors of host and device met."""
    return any(words in str(error) for words in ("device type tensor to numpy", "same device", "Input type", "on cpu"))


@step(
    "golden-float32",
    "golden cases of the published implementations on the device",
    at_least("cases computed", 40, None, ""),
    seconds=40,
    proof=True,
)
def golden_float32(bench: Bench) -> list[float]:
    """Hold them to 1e-3 in float32."""
    return golden(bench, "float32")


@step("golden-tf32", "the same in tf32", at_least("cases computed", 40, None, ""), seconds=40, proof=True)
def golden_tf32(bench: Bench) -> list[float]:
    """Hold them to 3e-2."""
    return golden(bench, "tf32")


@step(
    "golden-bfloat16",
    "golden cases of encoders in bfloat16, within the limits of tests/nn/test_precision.py",
    at_least("cases computed", 3, None, ""),
    seconds=10,
    proof=True,
)
def golden_bfloat16(bench: Bench) -> list[float]:
    """Hold each output to its own limit."""
    return golden(bench, "bfloat16")


def distance(have: Tensor, want: Tensor) -> float:
    """Return the norm of a difference, relative to that of what is wanted."""
    have, want = have.detach().double().cpu(), want.detach().double().cpu()
    return float((have - want).norm() / want.norm().clamp(min=1e-30))


def _gradients(method: Method, device: torch.device) -> dict[str, Tensor]:
    """Compute the gradients of every phase at the first step, flat, on the CPU."""
    real = tuple(part.to(device) for part in method.real_batch(0, method.training.group))
    found = {}
    with drawn_on_host():
        for phase in method.phases:
            grads = accumulate(method.parts, phase, [((0,), real)], 1, 0, 0, lambda name, value: None)
            found[phase.name] = torch.cat([g.flatten() for g in grads]).cpu()
    return found


@step(
    "steps",
    "gradients of every phase of every method at its first step, against the CPU",
    at_most("largest distance", GRADIENTS),
    at_least("phases", 16, None, ""),
    seconds=40,
    proof=True,
)
def steps(bench: Bench) -> list[float]:
    """Compare from equal weights and equal draws, in float32."""
    far: dict[str, float] = {}
    for name in CHAIN:
        ours, peer = (_gradients(bench.small.method(name, device), device) for device in (bench.device, CPU))
        assert ours.keys() == peer.keys()
        far |= {f"{name} {phase}": distance(ours[phase], peer[phase]) for phase in peer}
    worst = max(far, key=lambda name: far[name])
    assert all(value == value for value in far.values()), f"not finite: {far}"
    print(f"  farthest: {worst}, {far[worst]:.1e}")
    return [far[worst], len(far)]


def _makers() -> list[str]:
    return [name for name in CHAIN if hasattr(methods.get(name), "load_generator")]


@step(
    "generation",
    "videos of every method, against the CPU's",
    at_most("largest mean difference", 0.25, None, "levels of 255"),
    seconds=20,
    proof=True,
)
def generation(bench: Bench) -> list[float]:
    """Generate two videos of four frames from the same seeds."""
    far = []
    for name in _makers():
        bench.small.method(name, CPU)
        model, run = bench.small.paths.model(bench.small.run(name)), bench.small.run(name)
        with drawn_on_host():
            ours, peer = (
                load_generator_of(run, model, device).videos(range(2), torch.arange(4), "round").float()
                for device in (bench.device, CPU)
            )
        far.append(float((ours - peer).abs().mean()))
    return [max(far)]


@step(
    "evaluation",
    "scores by the stand-in detectors, against the CPU's",
    at_most("largest relative difference", 1e-2),
    seconds=15,
    proof=True,
)
def evaluation(bench: Bench) -> list[float]:
    """Score the same untrained model on both devices."""
    name = _makers()[0]
    bench.small.method(name, CPU)
    run, paths = bench.small.run(name), bench.small.paths
    protocol = Protocol(n_fake=6, clip_length=16, fid_items=40, real_clips=10, fvd_lengths=(4, 16), repeats=1)
    sides, store = [], FrameStore(paths.frames(run.dataset))
    for device in (bench.device, CPU):
        generator, detectors = load_generator_of(run, paths.model(run), device), load_detectors("stand-in", device)
        with drawn_on_host():
            sides.append(score(store, generator, protocol, detectors))
    names = [metric for metric in sides[0] if metric in ("fid", "fvd4", "fvd16")]
    assert len(names) == 3
    return [max(abs(sides[0][metric] / sides[1][metric] - 1) for metric in names)]


@step(
    "crop",
    "networks of the face crop with random weights, against the CPU",
    at_most("RetinaFace", 1e-3),
    at_most("FAN", 1e-3),
    seconds=15,
    proof=True,
)
@torch.inference_mode()
def crop(bench: Bench) -> list[float]:
    """Compare what the networks give for noise."""
    far = []
    for make, side in ((retinaface._network, 128), (fan._network, 256)):
        torch.manual_seed(0)
        network, x = make().eval(), torch.randn(1, 3, side, side)
        peer = network(x)
        ours = network.to(bench.device)(x.to(bench.device))
        far.append(max(distance(a, b) for a, b in zip(ours, peer, strict=True)))
    return far


# Trainings whose draws all are deterministic operations of a GPU: the others differ by its order of additions.
RESUMED = ("stylegan2", "styleinv")


@step(
    "resume",
    "half a training and the rest, against the whole, bit by bit, with deterministic operations",
    at_most("tensors that differ", 0, None, ""),
    seconds=30,
    proof=True,
)
def resume(bench: Bench) -> list[float]:
    """Train the miniatures without augmentation, whose warps no GPU adds up in a fixed order."""
    different = 0
    for name in RESUMED:
        hashes = []
        for lengths in ((2, 4), (4,)):
            with tempfile.TemporaryDirectory() as folder, exact(), warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                for steps_ in lengths:
                    hashes.append(sha256(_trained(bench, name, Path(folder), steps_)))
            named = sorted({str(one.message).split(" ")[0] for one in said if "deterministic" in str(one.message)})
            if named:
                print(f"  {name}: torch has no deterministic form of {', '.join(named)}")
        different += hashes[1] != hashes[2]
        assert hashes[0] != hashes[1], f"{name}: two steps more changed nothing"
    return [different]


def _trained(bench: Bench, name: str, folder: Path, steps_: int) -> Path:
    """Train a miniature for some steps, or go on with it; returns the model."""
    config = folder / "config"
    shutil.copytree(bench.small.scale.parent, config, dirs_exist_ok=True)
    scale = read_yaml(bench.small.scale)
    probe = bench.small.method(name, CPU)
    images = probe.training.batch * probe.images_per_sample / 1000
    block = {"training": {"total_kimg": steps_ * images, "tick_kimg": images}, "ada": {"mode": "none"}}
    device = "cuda" if bench.device.type == "cuda" else "cpu"
    write_text(config / "tiny.yaml", dump_yaml(merge(scale, {"device": device, "methods": {name: block}})))
    setting = Setting(config / "tiny.yaml", Paths(folder / "results"))
    run, ours = bench.small.run(name), bench.small.paths
    for source in (ours.frames(run.dataset), *map(ours.model, lineage(run, config)[:-1])):
        place = setting.paths.root / source.relative_to(ours.root)
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.symlink_to(source.absolute())
    train(run, setting)
    return setting.paths.model(run)
