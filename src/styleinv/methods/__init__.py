"""The methods, one folder each; a folder's `method` module holds `Config`, `create` and, where it
makes videos, `load_generator`."""

import importlib
import pkgutil
from types import ModuleType

from styleinv.errors import UserError


def known() -> list[str]:
    """Names of all methods."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)


def get(name: str) -> ModuleType:
    """The `method` module of a method.

    Raises:
        UserError: for an unknown one.
    """
    if name not in known():
        raise UserError(f"unknown method {name!r}", cure=f"Known: {', '.join(known())}.")
    return importlib.import_module(f"styleinv.methods.{name}.method")
