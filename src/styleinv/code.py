"""Which code decides the bits of a training: what its modules import, without comments and docstrings."""

import ast
import functools
import hashlib
from pathlib import Path

PACKAGE = Path(__file__).parent
LOOP = "styleinv.training.loop"


def code_hash(method: str) -> str:
    """Hash the code that trains a method: its module, the training loop, and all of this package that they import.

    Reports, tracking, the command line and other methods are not among it, and neither comments, docstrings nor layout
    count.
    """
    parts = (f"{name} {_read(_file(name))[1]}" for name in sorted(closure(f"styleinv.methods.{method}.method", LOOP)))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def closure(*names: str) -> set[str]:
    """List some modules and all of this package that they import, wherever the import stands."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found and _exists(name):
            found.add(name)
            waiting += _read(_file(name))[0]
    return found


def _file(name: str) -> Path:
    place = PACKAGE.joinpath(*name.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _exists(name: str) -> bool:
    return name.split(".")[0] == "styleinv" and _file(name).is_file()


@functools.cache
def _read(file: Path) -> tuple[list[str], str]:
    """What a file imports, and its text without comments, docstrings and layout."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imports = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            imports += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            body[0].value = ast.Constant("")
    return imports, ast.unparse(tree)
