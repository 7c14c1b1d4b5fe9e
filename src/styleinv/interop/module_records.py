"""Inert records, which the modules of an official pickle become here, and functions that read them."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from styleinv.interop.machine import Global, Refused, Stateful

# Official modules nest 8 deep; names and options are bounded so that a file whose records share children stays small.
MAX_DEPTH = 32
MAX_ENTRIES = 20_000


@dataclass(eq=False)
class Record(Stateful):
    """An object of the file, not rebuilt: where its class came from, and its attributes.

    Args:
        module: module of an ordinary class, or "" for a persistent class (whose source text is dropped).
        name: name of the class.
        state: the object's `__dict__`.
    """

    module: str
    name: str
    state: dict[str, Any] = field(default_factory=dict)

    def build(self, state: Any) -> None:
        """Take the attributes; a persistent object already has its own ones."""
        if not self.module or type(state) is not dict or any(type(key) is not str for key in state):
            raise Refused(f"gives {self.name} a state that is no dictionary of attributes")
        self.state = state

    def child(self, path: str) -> "Record | None":
        """Return the sub-module at a dotted path, or None."""
        node: Any = self
        for name in path.split("."):
            node = _table(node, "_modules").get(name) if isinstance(node, Record) else None
        return node if isinstance(node, Record) else None

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments that the object was made with, as plain data."""
        found = plain(self.state.get("_init_kwargs", {}))
        return found if isinstance(found, dict) else {}


def tensors_of(record: Record) -> dict[str, Tensor]:
    """Return the state dict of a module record: official names in the official order.

    Raises:
        Refused: for something that is no tree of modules.
    """
    found: dict[str, Tensor] = {}
    visited = 0

    def visit(module: Record, prefix: str, depth: int) -> None:
        nonlocal visited
        visited += 1
        if depth > MAX_DEPTH or visited > MAX_ENTRIES:
            raise Refused("nests or repeats its modules without end")
        transient = module.state.get("_non_persistent_buffers_set", set())
        if type(transient) is not set:
            raise Refused("names its transient buffers by something that is no set")
        for kind in ("_parameters", "_buffers"):
            for name, value in _table(module, kind).items():
                if value is None or (kind == "_buffers" and name in transient):
                    continue
                if not isinstance(value, Tensor):
                    raise Refused(f"holds a {type(value).__name__} where the tensor {prefix}{name} should be")
                found[f"{prefix}{name}"] = value
        for name, value in _table(module, "_modules").items():
            if isinstance(value, Record):
                visit(value, f"{prefix}{name}.", depth + 1)
            elif value is not None:
                raise Refused(f"holds a {type(value).__name__} where the module {prefix}{name} should be")

    visit(record, "", 0)
    if len(found) > MAX_ENTRIES:
        raise Refused(f"has more than {MAX_ENTRIES} tensors")
    return found


def plain(value: Any) -> Any:
    """Convert options to JSON-like data: OmegaConf containers unwrapped, sets sorted, other objects as their names.

    Raises:
        Refused: for options that are nested or repeated without end.
    """
    visited = 0

    def visit(value: Any, depth: int) -> Any:
        nonlocal visited
        visited += 1
        if depth > MAX_DEPTH or visited > MAX_ENTRIES:
            raise Refused("nests or repeats its options without end")
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, dict):
            return {str(key): visit(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [visit(item, depth + 1) for item in value]
        if isinstance(value, set):
            return sorted(value)
        if isinstance(value, Record) and value.module.startswith("omegaconf"):
            # Containers hold `_content`, leaves `_val`; `_parent` points back and is left alone.
            return visit(value.state.get("_content", value.state.get("_val")), depth + 1)
        return value.name if isinstance(value, Record | Global) else type(value).__name__

    return visit(value, 0)


def find_option(record: Record, key: str) -> Any:
    """Find the first attribute or constructor option called `key` in a module or below it; None if there is none.

    Raises:
        Refused: for something that is no tree of modules.
    """
    visited = 0

    def visit(value: Any, depth: int) -> Any:
        nonlocal visited
        visited += 1
        if depth > MAX_DEPTH or visited > MAX_ENTRIES:
            raise Refused("nests or repeats its options without end")
        if isinstance(value, Record):
            state = value.state
            if key in state:
                return plain(state[key])
            below = [plain(state.get(name)) for name in ("_init_kwargs", "_init_args")]
            children: list[Any] = below + list(_table(value, "_modules").values())
        elif isinstance(value, dict):
            if value.get(key) is not None:
                return value[key]
            children = list(value.values())
        else:
            children = value if isinstance(value, list) else []
        for child in children:
            found = visit(child, depth + 1)
            if found is not None:
                return found
        return None

    return visit(record, 0)


def scalar(value: Any) -> float:
    """Convert a number or a tensor of one element to a float."""
    return float(value.item()) if isinstance(value, torch.Tensor) else float(value)


def _table(module: Record, name: str) -> dict[str, Any]:
    table = module.state.get(name, {})
    if type(table) is not dict or any(type(key) is not str for key in table):
        raise Refused(f"holds {name} that are no dictionary of names")
    return table
