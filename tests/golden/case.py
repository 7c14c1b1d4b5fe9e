"""A golden case: its manifest, arrays, deterministic weights and limits (tests/golden/README.md)."""

import fnmatch
import json
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn

# How often a case is computed anew when an output misses its limit, and how far, in its norm and as multiples of the
# relative limit, these results may lie from each other.
ROUNDINGS = 4
SPREAD = 5
ROUNDING_NOISE = ("unfused_maxdiff", "w_list_mode_maxdiff", "max_diff_to_frame_by_frame")


class Case:
    """One folder of golden numbers."""

    def __init__(self, path: Path):
        self.path = path
        self.manifest = json.loads((path / "manifest.json").read_text())
        self.kind: str = self.manifest["kind"]
        self.config: dict = self.manifest.get("config", {})
        self.limits: dict = self.manifest.get("limits", {})

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """Every array of data.npz by its full key."""
        file = self.path / "data.npz"
        if not file.exists():
            return {}
        with np.load(file, allow_pickle=False) as data:
            return {key: data[key] for key in data.files}

    def _under(self, prefix: str) -> dict[str, np.ndarray]:
        return {key[len(prefix) :]: value for key, value in self.arrays.items() if key.startswith(prefix)}

    @cached_property
    def inputs(self) -> dict[str, np.ndarray]:
        """Inputs, stored or filled by rule."""
        found = self._under("in/")
        declared = self.manifest.get("inputs", {})
        if isinstance(declared, dict):
            for name, entry in declared.items():
                if name in found or not isinstance(entry, dict):
                    continue
                seed = self.manifest.get("base_seed", self.manifest.get("seed"))
                if isinstance(entry.get("fill"), dict):
                    rule = entry["fill"]
                    found[name] = fill(rule.get("key", f"input:{name}"), entry["shape"], rule, rule.get("seed", seed))
                elif "mean" in entry and "std" in entry:
                    found[name] = fill(entry.get("key", f"in/{name}"), entry["shape"], entry, seed)
        return found

    @cached_property
    def outputs(self) -> dict[str, np.ndarray]:
        """Expected outputs as they are stored: a large one as `<name>.sub` and `<name>.stats`."""
        return self._under("out/")

    @cached_property
    def wanted(self) -> list[str]:
        """Names of the expected outputs, each once in whatever form it is stored."""
        names = (name.rpartition(".")[0] if self._is_part(name) else name for name in self.outputs)
        return list(dict.fromkeys(names))

    def _stride(self, name: str) -> int | None:
        """Of the samples that are stored of a large output; None for outputs that are stored whole."""
        declared = self.manifest.get("outputs")
        entry = declared.get(name) if isinstance(declared, dict) else None
        return entry.get("stride") if isinstance(entry, dict) else None

    def _is_part(self, name: str) -> bool:
        base, _, part = name.rpartition(".")
        return part in ("sub", "stats") and self._stride(base) is not None

    def stored(self, got: dict[str, np.ndarray | torch.Tensor]) -> dict[str, np.ndarray]:
        """Bring computed outputs into the form that the case stores: large ones as samples and statistics."""
        found = {}
        for name, value in got.items():
            value = np.asarray(value.detach() if isinstance(value, torch.Tensor) else value)
            if stride := self._stride(name):
                flat = value.astype(np.float64).ravel()
                found[f"{name}.sub"] = flat[::stride]
                found[f"{name}.stats"] = np.array(
                    [flat.mean(), flat.std(), np.linalg.norm(flat), flat.min(), flat.max()]
                )
            else:
                found[name] = value
        return found

    def tensor(self, name: str) -> torch.Tensor:
        """An input as a tensor."""
        return torch.from_numpy(self.inputs[name].copy())

    def state(self, module: str | None = None, prefix: str = "") -> dict[str, torch.Tensor]:
        """The weights of the case as a state dict, without entries that construction derives.

        Args:
            module: which of several modules of the manifest (its `module` field).
            prefix: keep the names that start with it, and cut it off.
        """
        state = {}
        for entry in self.manifest["state"]:
            name = entry["name"]
            if entry.get("module") != module or not name.startswith(prefix) or entry.get("derive"):
                continue
            if entry.get("keep"):
                key = f"state/{module}:{name}" if f"state/{module}:{name}" in self.arrays else f"state/{name}"
                value = self.arrays[key]
            else:
                seed = self.manifest["module_seeds"][module] if module else self.manifest["seed"]
                value = fill(name, entry["shape"], entry, seed)
            state[name[len(prefix) :]] = torch.from_numpy(np.array(value))
        return state

    def load(self, net: nn.Module, module: str | None = None, prefix: str = "") -> nn.Module:
        """Give a network the weights of the case; every name and shape must match."""
        state = self.state(module, prefix)
        own = net.state_dict()
        missing = [k for k in own if k not in state and not k.endswith("num_batches_tracked")]
        surplus = [k for k in state if k not in own]
        derived = {e["name"] for e in self.manifest["state"] if e.get("derive")}
        missing = [k for k in missing if prefix + k not in derived]
        assert not missing and not surplus, f"missing {missing[:5]}, surplus {surplus[:5]}"
        net.load_state_dict(state, strict=False)
        return net


class Shaken(Case):
    """A golden case whose inputs are off by one unit in the last place, this way or that."""

    def __init__(self, path: Path, seed: int):
        super().__init__(path)
        self.seed = seed

    @cached_property
    def inputs(self) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(self.seed)
        return {name: self._shake(value, rng) for name, value in super().inputs.items()}

    @staticmethod
    def _shake(value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if not np.issubdtype(value.dtype, np.floating):
            return value
        return np.nextafter(value, np.where(rng.random(value.shape) < 0.5, -np.inf, np.inf).astype(value.dtype))


def roundings(case: Case, checker: Callable[[Case], dict]) -> Iterator[dict]:
    """The outputs of a case as other processors might round them."""
    for seed in range(ROUNDINGS):
        # The networks' convolutions by another library too, which adds in another order.
        with torch.backends.mkldnn.flags(enabled=seed % 2 == 1):
            yield checker(Shaken(case.path, seed))


def fill(name: str, shape: list[int], rule: dict, seed: int) -> np.ndarray:
    """The fill rule of README.md: standard normals seeded by the name."""
    rng = np.random.RandomState(zlib.crc32(name.encode()) ^ seed)
    x = rng.standard_normal(shape).astype(np.float32)
    if rule.get("fill") == "abs":
        x = np.abs(x)
    return (x * np.float32(rule["std"]) + np.float32(rule["mean"])).astype(np.float32)


def spans_of(total_dists: list[int] | None) -> Literal["uniform", "powers_of_two"]:
    """The rule of `TimeSampling` for an official list of spans; none means that all spans are as likely."""
    if total_dists is None:
        return "uniform"
    assert total_dists == [2**i for i in range(12)], f"no rule draws spans from {total_dists}"
    return "powers_of_two"


def stats(x: np.ndarray | torch.Tensor) -> np.ndarray:
    """[mean, std, l2, min, max] and 64 samples of a flattened tensor, in float64."""
    x = np.asarray(x.detach() if isinstance(x, torch.Tensor) else x).astype(np.float64).ravel()
    head = [x.mean(), x.std(), np.linalg.norm(x), x.min(), x.max()]
    return np.array([*head, *x[:: max(1, x.size // 64)][:64]])


def l2(tensor: torch.Tensor | None, absent: float = 0.0) -> float:
    """L2 norm of a gradient, `absent` when there is none."""
    return absent if tensor is None else float(tensor.detach().double().norm())


def failures(case: Case, got: dict, again: Callable[[Case], dict] | None = None) -> dict[str, str]:
    """What the computed outputs miss of the limits of a case: one line for each such output, by its name.

    A gradient jumps where a ReLU's or PReLU's input is zero to within rounding, so that two processors may disagree on
    it. With `again`, the case's checker, an output that misses its limit is computed under other roundings, and what
    lies within their spread passes, with a warning.
    """
    found, got = {}, case.stored(got)
    for key, limit in case.limits.items():
        name = key.removeprefix("out/")
        if name == key or "see" in limit:
            continue
        if name not in got:
            found[name] = "not computed"
            continue
        if fault := compare(case, name, got[name], case.outputs[name], limit):
            found[name] = fault
    if found and again:
        others = [case.stored(other) for other in roundings(case, again)]
        for name in list(found):
            nearest = within([got[name], *(other[name] for other in others)], case, name) if name in got else None
            if nearest is not None and not compare(case, name, nearest, case.outputs[name], case.limits[f"out/{name}"]):
                warnings.warn(f"{case.path.name}: {name} meets its limit within our own rounding", stacklevel=2)
                del found[name]
    return found


def within(results: list[np.ndarray], case: Case, name: str) -> np.ndarray | None:
    """What is nearest to the wanted value between the least and the greatest result.

    None where the results are no numbers or differ by more than rounding does.
    """
    want, limit = case.outputs[name], case.limits[f"out/{name}"]
    if "rtol" not in limit or any(result.shape != want.shape for result in results):
        return None
    low, high = np.min(results, axis=0).astype(np.float64), np.max(results, axis=0).astype(np.float64)
    if np.linalg.norm(high - low) > SPREAD * limit["rtol"] * np.linalg.norm(want):
        return None
    return np.clip(want.astype(np.float64), low, high)


def compare(case: Case, name: str, have: np.ndarray, want: np.ndarray, limit: dict) -> str | None:
    """Hold one output to its limit; says what is wrong with it, if anything is."""
    if have.shape != want.shape:
        return f"shape {have.shape}, expected {want.shape}"
    if limit.get("equal"):
        return None if np.array_equal(have, want) else f"not equal; {differ(have, want, have != want)}"
    have, want = have.astype(np.float64), want.astype(np.float64)
    if "rel_l2" in limit:
        error = np.linalg.norm(have - want) / max(np.linalg.norm(want), 1e-30)
        if error <= limit["rel_l2"]:
            return None
        return f"relative l2 error {error:.3g} > {limit['rel_l2']:.3g}; {differ(have, want, np.abs(have - want))}"
    if name.endswith(ROUNDING_NOISE):
        # The official code's own rounding noise between two equal forms: ours must stay as small, not equal it.
        small = float(have) <= max(10 * float(want), 1e-5)
        return None if small else f"got {float(have):.3g}, which is more than rounding noise (want {float(want):.3g})"
    if name.endswith("differs_maxdiff"):
        # How much two times differ under a noise that the case does not store: ours must differ as clearly.
        clear = 0.5 * float(want) <= float(have) <= 2 * float(want)
        return None if clear else f"got {float(have):.3g}, want about {float(want):.3g}"
    nan = np.isnan(want)
    bound = limit["atol"] + limit["rtol"] * np.abs(want)
    excess = np.where(nan, np.where(np.isnan(have), 0, np.inf), np.abs(have - want) - bound)
    if not excess.size or excess.max() <= 0:
        return None
    if "/grad/" in name and np.linalg.norm(have - want) <= limit["rtol"] * np.linalg.norm(want):
        beyond = f"{int((excess > 0).sum())} of {excess.size} elements are beyond it"
        warnings.warn(f"{case.path.name}: {name} meets its limit in norm, but {beyond}", stacklevel=3)
        return None
    worst = np.abs(have - want)[~nan].max() if (~nan).any() else np.inf
    off = f"off by {worst:.3g}, {int((~(excess <= 0)).sum())} of {excess.size} beyond the limit"
    return f"{off}; {differ(have, want, excess)}"


def differ(have: np.ndarray, want: np.ndarray, badness: np.ndarray) -> str:
    """The worst element with its index, and the first few of both arrays."""
    badness = np.where(np.isnan(badness.astype(np.float64)), np.inf, badness)
    worst = tuple(int(i) for i in np.unravel_index(int(np.argmax(badness)), badness.shape))
    got, expected = (_show(array[worst]) for array in (have, want))
    first = "; ".join(f"{what} {_few(array)}" for what, array in (("got", have), ("want", want)))
    return f"worst at {list(worst)}: got {got}, want {expected}; {first}"


def _show(value: np.generic) -> str:
    return f"{value:.6g}" if np.issubdtype(value.dtype, np.number) else str(value)


def _few(array: np.ndarray, count: int = 4) -> str:
    shown = ", ".join(map(_show, array.ravel()[:count]))
    return f"[{shown}{', ...' if array.size > count else ''}]"


@dataclass(frozen=True)
class Deviation:
    """One line of deviates.txt: outputs that differ from the official code's on purpose.

    Attributes:
        of: name of a case, or a kind, and then of each of its cases.
        pattern: of names of outputs, as file names are matched.
        reason: why.
    """

    of: str
    pattern: str
    reason: str


def deviations(case: Case, text: str) -> list[Deviation]:
    """The lines of deviates.txt that are about a case."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for line in lines:
        assert len(line.split(None, 2)) == 3, f"deviates.txt: {line!r} is not `case-or-kind  output-pattern  reason`"
    found = [Deviation(*line.split(None, 2)) for line in lines]
    return [deviation for deviation in found if deviation.of in (case.path.name, case.kind)]


def verdict(
    case: Case, got: dict, text: str, again: Callable[[Case], dict] | None = None
) -> tuple[list[str], list[str]]:
    """Judge the outputs of a case.

    Args:
        case: with its limits.
        got: computed outputs.
        text: of deviates.txt.
        again: computes them, so that our own rounding can be told from an error (`failures`).

    Returns:
        Lines about what fails, entries that no longer deviate among them, and lines about what deviates on purpose.
    """
    wrong, deviating = failures(case, got, again), []
    for deviation in deviations(case, text):
        meant = fnmatch.filter(wrong, deviation.pattern)
        if not meant:
            unused = f"{deviation.of} {deviation.pattern} no longer deviates: take it out of deviates.txt"
            wrong[f"deviates.txt: {deviation.pattern}"] = unused
        deviating += [f"{case.path.name}: {name}: {deviation.reason}" for name in meant]
        wrong = {name: line for name, line in wrong.items() if name not in meant}
    return [f"{name}: {line}" for name, line in wrong.items()], deviating
