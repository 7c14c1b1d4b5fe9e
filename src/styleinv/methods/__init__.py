"""The methods, one folder each; a folder's `method` module holds `Config`, `create` and, where it
makes videos, `load_generator`."""

import importlib.util
import pkgutil
from types import ModuleType

from styleinv.errors import UserError


def known() -> list[str]:
    """Names of all methods."""
    folders = (name.name for name in pkgutil.iter_modules(__path__) if name.ispkg)
    return sorted(name for name in folders if importlib.util.find_spec(f"styleinv.methods.{name}.method"))


def get(name: str) -> ModuleType:
    """The `method` module of a method.

    Raises:
        UserError: for an unknown one.
    """
    if name not in known():
        raise UserError(f"unknown method {name!r}", cure=f"Known: {', '.join(known())}.")
    return importlib.import_module(f"styleinv.methods.{name}.method")
