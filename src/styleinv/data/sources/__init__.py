"""The kinds of sources of data sets, one module each.

A module's name is its kind, which a data set's YAML names in `source.type`. It holds three things: `Config`, the other
keys of `source`, a `data.source.SourceConfig`; `fetch(config, job)`, which fills the raw folder and returns the
manifest; and `probe(config, job)`, which asks whether the source is there, without fetching it. A source that knows who
is seen in which pose also has `labels(manifest)`, which gives that for every frame. Only sources and
`styleinv weights fetch` open a network connection.
"""

import importlib
import pkgutil
from types import ModuleType

from styleinv.errors import UserError


def known() -> list[str]:
    """Names of all kinds."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def get(kind: object, file: object = None, field: str | None = None) -> ModuleType:
    """Import the module of a kind.

    Args:
        kind: what a YAML names.
        file, field: where it does, for the message.

    Raises:
        UserError: for an unknown kind.
    """
    if kind not in known():
        raise UserError(f"unknown kind {kind!r}", file=file, field=field, cure=f"Known: {', '.join(known())}.")
    return importlib.import_module(f"styleinv.data.sources.{kind}")
