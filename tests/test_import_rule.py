"""Who may import whom (the rooms of the house)."""

import ast
from pathlib import Path

SRC = Path(__file__).parent.parent / "src" / "styleinv"
BASE = {"errors", "files", "schema", "runs", "config", "generator", "paths", "provenance"}
ROOMS = {
    "data": BASE,
    "nn": BASE,
    "training": BASE | {"nn", "data"},
    "methods": BASE | {"nn", "data", "training"},
    "crop": BASE | {"data"},
    "evaluation": BASE | {"data"},
    "report": BASE | {"training"},
    "interop": BASE | {"nn", "training", "methods"},
    "tracking": BASE | {"report"},
    "stages": BASE | {"data", "training", "methods", "crop", "evaluation", "report", "interop", "tracking"},
    "cli": BASE | {"stages", "data", "evaluation", "tracking"},
}
METHODS: dict[str, set[str]] = {
    "stylegan2": set(),
    "inversion": {"stylegan2"},
    "digan": {"stylegan2"},
    "long_video_gan_lr": {"stylegan2"},
    "long_video_gan": {"stylegan2", "long_video_gan_lr"},
    "mocogan_hd": {"stylegan2"},
    "stylegan_v": {"stylegan2"},
    "styleinv": {"stylegan2", "inversion"},
    "style_transfer": {"stylegan2", "inversion"},
}


def imported(file: Path) -> set[str]:
    """Modules of this package that a file imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "styleinv":
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("styleinv.")}
    return names


def test_rooms() -> None:
    wrong = []
    for file in SRC.rglob("*.py"):
        place = file.relative_to(SRC).with_suffix("").parts
        room = place[0]
        for name in imported(file):
            other = name.split(".")[1]
            if other in (room, "__version__"):
                continue
            allowed = BASE if room in BASE or room == "__init__" else ROOMS[room]
            if other not in allowed:
                wrong.append(f"{'/'.join(place)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_methods_stand_on_those_below() -> None:
    wrong = []
    for file in (SRC / "methods").rglob("*.py"):
        place = file.relative_to(SRC / "methods").parts
        if len(place) == 1:
            continue
        for name in imported(file):
            parts = name.split(".")
            if parts[1] == "methods" and len(parts) > 2 and parts[2] in METHODS and parts[2] != place[0]:
                if parts[2] not in METHODS[place[0]]:
                    wrong.append(f"{'/'.join(place)} imports {name}")
    assert not wrong, "\n".join(wrong)
