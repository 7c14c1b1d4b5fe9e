"""Resumable state and finished models, as safetensors with a JSON header; nothing is ever unpickled."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from styleinv.errors import UserError
from styleinv.files import atomic
from styleinv.training.method import Parts


def save_model(path: Path, modules: dict[str, nn.Module], description: dict[str, Any]) -> None:
    """Write networks as `<module>.<tensor>` with `description` in the header."""
    tensors = {f"{name}.{key}": value for name, m in modules.items() for key, value in m.state_dict().items()}
    _write(path, tensors, {"styleinv": description})


def read_model(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read (description, tensors) of a model.

    Raises:
        UserError: for a missing, cut or foreign file.
    """
    meta, tensors = _read(path)
    if "styleinv" not in meta:
        raise UserError("is not a model of this project", file=path, cure="Make it with `styleinv train`.")
    return meta["styleinv"], tensors


def load_module(module: nn.Module, tensors: dict[str, Tensor], name: str, file: Path) -> None:
    """Give `module` the tensors called `<name>.*`; every name and shape must match.

    Raises:
        UserError: listing what is missing, surplus or of another shape (for example another resolution).
    """
    state = {key[len(name) + 1 :]: value for key, value in tensors.items() if key.startswith(f"{name}.")}
    faults = mismatches(module.state_dict(), state)
    if faults:
        listed = "; ".join(faults[:3]) + (f"; and {len(faults) - 3} more" if len(faults) > 3 else "")
        raise UserError(f"does not fit the network: {listed}", file=file, field=name, cure="Train it at this size.")
    module.load_state_dict(state)


def mismatches(own: dict[str, Tensor], given: dict[str, Tensor]) -> list[str]:
    """List why `given` is not a state of the network whose state is `own`, one phrase per tensor."""
    faults = [f"missing {key}" for key in own if key not in given]
    faults += [f"surplus {key}" for key in given if key not in own]
    return faults + [
        f"{key} is {list(given[key].shape)} instead of {list(own[key].shape)}"
        for key in own
        if key in given and given[key].shape != own[key].shape
    ]


def save_state(path: Path, parts: Parts, progress: dict[str, Any]) -> None:
    """Write everything that the next step depends on: networks, further tensors, ADA, optimisers and `progress`."""
    tensors = {f"tensors.{key}": value for key, value in parts.tensors.items()}
    for name, module in parts.modules.items():
        tensors |= {f"modules.{name}.{key}": value for key, value in module.state_dict().items()}
    if parts.augment is not None:
        tensors["augment.p"] = torch.tensor(parts.augment.p)
    for name, optimizer in parts.optimizers.items():
        for i, param in enumerate(p for group in optimizer.param_groups for p in group["params"]):
            for key, value in optimizer.state.get(param, {}).items():
                tensors[f"optimizers.{name}.{i}.{key}"] = torch.as_tensor(value)
    _write(path, tensors, {"progress": progress})


def load_state(path: Path, parts: Parts) -> dict[str, Any]:
    """Restore what `save_state` wrote into `parts`, and return the progress."""
    meta, tensors = _read(path)
    for name, module in parts.modules.items():
        prefix = f"modules.{name}."
        module.load_state_dict({k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)})
    for key in parts.tensors:
        parts.tensors[key] = tensors[f"tensors.{key}"].to(parts.tensors[key].device)
    if parts.augment is not None:
        parts.augment.p = float(tensors["augment.p"])
    for name, optimizer in parts.optimizers.items():
        for i, param in enumerate(p for group in optimizer.param_groups for p in group["params"]):
            prefix = f"optimizers.{name}.{i}."
            state = {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
            if state:
                optimizer.state[param] = {k: _restore(v, param) for k, v in state.items()}
    return meta["progress"]


def read_progress(path: Path) -> dict[str, Any]:
    """Read the progress in a state's header, without the tensors.

    Raises:
        UserError: for an unreadable file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {})["meta"])["progress"]
    except (SafetensorError, OSError, KeyError, json.JSONDecodeError) as error:
        raise UserError(
            f"is unreadable ({error})", file=path, cure="Delete the state folder to start afresh."
        ) from None


def _restore(value: Tensor, param: Tensor) -> Any:
    if value.dtype == torch.int64:
        return int(value)
    return value if value.ndim == 0 and param.ndim != 0 else value.to(param.device)


def _write(path: Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    own = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    with atomic(path) as temporary:
        try:
            save_file(own, temporary, metadata={"meta": json.dumps(meta, sort_keys=True)})
        except SafetensorError as error:
            for number in (errno.ENOSPC, errno.EDQUOT):
                if os.strerror(number) in str(error):
                    raise OSError(number, os.strerror(number), str(path)) from None
            raise


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if not path.exists():
        raise UserError("does not exist", file=path, cure="Run the stage that makes it first.")
    try:
        with safe_open(path, framework="pt") as file:
            meta = json.loads((file.metadata() or {}).get("meta", "{}"))
            return meta, {key: file.get_tensor(key) for key in file.keys()}
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise UserError(f"is cut or broken ({error})", file=path, cure="Delete it and make it again.") from None
