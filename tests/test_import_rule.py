"""Who may import whom (the rooms of the house)."""

import ast
import re
from pathlib import Path

from styleinv import methods
from styleinv.config import read_method
from tests.project import ROOT

SRC = ROOT / "src" / "styleinv"
PAGE = (ROOT / "docs/architecture.md").read_text().partition("## Rooms")[2].partition("## Who owns")[0]
BASE = set(re.findall(r"`(\w+)`", PAGE.partition("ground floor, which is")[2].partition("tests/test_import")[0]))
ROOMS = {
    room: BASE | set(re.findall(r"`(\w+)`", allowed))
    for room, allowed in re.findall(r"^\| `(\w+)` \|([^|]*)\|", PAGE, re.MULTILINE)
}


def foundations(method: str) -> set[str]:
    """What a method may import: what it, or a variant of it, builds on, and StyleGAN2, whose networks all share."""
    told = read_method(method, ROOT / "config").value
    named = [told.get("builds_on"), *(variant.get("builds_on") for variant in told.get("variants", {}).values())]
    below = {name.partition("-")[0] for name in named if name}
    return below.union({"stylegan2"}, *(foundations(name) for name in below))


def imported(file: Path) -> set[str]:
    """Modules of this package that a file imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "styleinv":
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("styleinv.")}
    return names


def test_the_page_names_every_room() -> None:
    there = {path.stem for path in SRC.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert there == BASE | set(ROOMS)


def test_rooms() -> None:
    wrong = []
    for file in SRC.rglob("*.py"):
        place = file.relative_to(SRC).with_suffix("").parts
        room = place[0]
        for name in imported(file):
            other = name.split(".")[1]
            if other in (room, "__version__"):
                continue
            allowed = BASE if room in BASE else ROOMS[room]
            if other not in allowed:
                wrong.append(f"{'/'.join(place)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_methods_stand_on_those_below() -> None:
    wrong = []
    for method in methods.known():
        for file in (SRC / "methods" / method).rglob("*.py"):
            others = {name.split(".")[2] for name in imported(file) if name.startswith("styleinv.methods.")}
            for other in (others & set(methods.known())) - {method} - foundations(method):
                wrong.append(f"{file.relative_to(SRC)} imports {other}, which {method} does not build on")
    assert not wrong, "\n".join(wrong)
