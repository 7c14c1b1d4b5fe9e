"""The methods, one folder each.

A folder's `method` module holds `Config`, `create` and, where it makes videos, `load_generator`; its module
`preparation`, where it has one, a `PREPARATION` (see `training.preparation`).
"""

import functools
import importlib.util
import pkgutil
from types import ModuleType

from styleinv.errors import UserError
from styleinv.training.preparation import Preparation


@functools.cache
def known() -> list[str]:
    """Names of all methods."""
    return _holding("method")


def get(name: str) -> ModuleType:
    """Import the `method` module of a method.

    Raises:
        UserError: for an unknown one.
    """
    if name not in known():
        raise UserError(f"unknown method {name!r}", cure=f"Known: {', '.join(known())}.")
    return importlib.import_module(f"styleinv.methods.{name}.method")


@functools.cache
def preparations() -> dict[str, Preparation]:
    """All preparations by name; imports nothing heavy."""
    modules = [importlib.import_module(f"styleinv.methods.{name}.preparation") for name in _holding("preparation")]
    return {module.PREPARATION.name: module.PREPARATION for module in modules}


def preparation(name: str) -> Preparation:
    """The preparation of a name.

    Raises:
        UserError: for an unknown one.
    """
    if name not in preparations():
        known = ", ".join(preparations())
        raise UserError(f"unknown preparation {name!r}", field="needs", cure=f"Known: {known}.")
    return preparations()[name]


def _holding(module: str) -> list[str]:
    """Folders that hold a module of some name."""
    folders = (found.name for found in pkgutil.iter_modules(__path__) if found.ispkg)
    return sorted(name for name in folders if importlib.util.find_spec(f"styleinv.methods.{name}.{module}"))
