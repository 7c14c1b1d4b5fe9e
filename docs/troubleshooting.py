"""Write docs/troubleshooting.md: every error line of the package, found in its code.

    python docs/troubleshooting.py

`tests/test_docs.py` holds the page to the code.
"""

import ast
import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from styleinv import errors

ROOT = Path(__file__).parent.parent
SOURCE, PAGE = ROOT / "src/styleinv", ROOT / "docs/troubleshooting.md"
PREFLIGHT = ROOT / "workflow/rules/preflight.smk"

# Rooms of the package in the order in which people meet them, and what is done there.
ROOMS = {
    "cli": "The command line",
    "runs": "Names of runs",
    "schema": "Settings",
    "config": "Configuration files",
    "files": "Files",
    "data": "Videos, data sets, downloads, weights",
    "crop": "Crops",
    "stages": "Commands",
    "methods": "Methods",
    "training": "Trainings",
    "nn": "Networks",
    "generator": "Generated videos",
    "evaluation": "Scores",
    "report": "Tables and the report",
    "tracking": "MLflow",
    "interop": "Official checkpoints",
}

HEAD = """# What an error line means, and what to do

*Written by `python docs/troubleshooting.py` from the code, which a test holds it to.*

Every error is one line, `styleinv: FILE: FIELD: what is wrong. What to do.`; the exit code says of which kind it is:
{codes}.
`--debug` shows the traceback. A job of the workflow says the same in its log,
`results/logs/<stage>/<data set>/<run>.log` (`.history.log` beside it keeps all attempts), and `styleinv watch` names
the last one. What is missing on a machine: `styleinv doctor`.

Words in ⟨brackets⟩ stand for what the line then names; `a | b` are alternatives. Where nothing stands beside a line,
what it names is to be corrected.
"""
CODES = {
    0: "done",
    1: "failed",
    2: "bad input",
    3: "missing access",
    75: "stopped by a signal, the same command continues",
}


@dataclass(frozen=True)
class Line:
    """One error line: what it says, what to do, and the exit code."""

    says: str
    cure: str
    code: int


class _Module:
    """One file of the package."""

    def __init__(self, file: Path):
        self.tree = ast.parse(file.read_text())
        self.scopes: dict[ast.AST, ast.AST] = {}
        for scope in ast.walk(self.tree):
            if isinstance(scope, ast.FunctionDef | ast.Module):
                for node in ast.walk(scope):
                    self.scopes[node] = scope  # the innermost is visited last

    def calls(self, names: dict[str, int]) -> Iterator[tuple[ast.Call, int]]:
        """Find the calls that make an error, in the order of the file."""
        found = [
            node
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
        ]
        for node in sorted(found, key=lambda node: (node.lineno, node.col_offset)):
            assert isinstance(node.func, ast.Name)
            yield node, names[node.func.id]

    def text(self, node: ast.expr | None, depth: int = 0) -> str:
        """Write an expression as the text that it makes."""
        match node:
            case None:
                return ""
            case ast.Constant(value=str(text)):
                return text
            case ast.Constant(value=None):
                return ""
            case ast.JoinedStr(values=values):
                return "".join(self.text(value, depth) for value in values)
            case ast.FormattedValue(value=value):
                return self.text(value, depth) if isinstance(value, ast.IfExp) else _place(value)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.text(left, depth) + self.text(right, depth)
            case ast.IfExp(body=body, orelse=other):
                either = dict.fromkeys([self.text(body, depth), self.text(other, depth)])
                return " | ".join(text for text in either if text)
            case ast.BoolOp(values=values):
                return self.text(values[-1], depth)
            case ast.Name(id=name):
                known = self._assigned(name, node) if depth < 3 else []
                texts = dict.fromkeys(self.text(value, depth + 1) for value in known)
                return " | ".join(text for text in texts if text) or _place(node)
            case _:
                return _place(node)

    def _assigned(self, name: str, node: ast.AST) -> list[ast.expr]:
        """Texts that a name may stand for, in the function around it or in the module."""
        for scope in (self.scopes.get(node), self.tree):
            values = [
                one.value
                for one in ast.walk(scope or self.tree)
                if isinstance(one, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in one.targets)
            ]
            if texts := [value for value in values if isinstance(value, ast.Constant | ast.JoinedStr | ast.IfExp)]:
                return texts
        return []


def _place(node: ast.expr) -> str:
    """Name what stands in the place of an expression."""
    match node:
        case ast.Name(id=name):
            word = name
        case ast.Attribute(attr=name):
            word = name
        case ast.Subscript(value=value):
            return _place(value)
        case ast.Call(func=ast.Name(id="len")):
            word = "number"
        case ast.Call(func=ast.Attribute(attr="join"), args=[ast.Name(id=name)]):
            word = name
        case ast.Call(func=ast.Attribute(attr="join"), args=[first, *_]):
            inner = [n.id for n in ast.walk(first) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
            word = inner[-1] if inner else "names"
        case ast.Call(args=[first, *_]):
            return _place(first)
        case ast.Call(func=func):
            return _place(func)
        case ast.BinOp(left=left):
            return _place(left)
        case _:
            word = "…"
    return f"⟨{word.strip('_').replace('_', ' ') or '…'}⟩"


def family() -> dict[str, int]:
    """Names of all classes of user errors in the package, with their exit codes."""
    known = {"UserError": errors.UserError.exit_code}
    classes = [node for file in SOURCE.rglob("*.py") for node in ast.walk(ast.parse(file.read_text()))]
    grown = True
    while grown:
        grown = False
        for node in classes:
            if not isinstance(node, ast.ClassDef) or node.name in known:
                continue
            for base in node.bases:
                if isinstance(base, ast.Name) and base.id in known:
                    own = [
                        one.value.value
                        for one in node.body
                        if isinstance(one, ast.Assign) and isinstance(one.value, ast.Constant)
                    ]
                    known[node.name] = int(own[0]) if own else known[base.id]
                    grown = True
    return known


def lines(file: Path, names: dict[str, int]) -> Iterator[Line]:
    """Find the error lines of one file."""
    module = _Module(file)
    for call, code in module.calls(names):
        words = {word.arg: word.value for word in call.keywords}
        place = [_place(words["file"]) if "file" in words else "", module.text(words.get("field"))]
        what = module.text(call.args[0]) if call.args else ""
        yield Line(": ".join(part for part in (*place, what) if part), module.text(words.get("cure")), code)


def _row(line: Line) -> str:
    cells = [" ".join(text.replace("|", "\\|").replace("<", "&lt;").split()) for text in (line.says, line.cure)]
    return f"| {cells[0]} | {cells[1]} | {line.code} |"


def _table(found: list[Line]) -> list[str]:
    rows = [_row(line) for line in dict.fromkeys(found)]
    return ["| it says | what to do | exit |", "|---|---|---|", *rows, ""]


def system_lines() -> list[Line]:
    """What the operating system refuses: rows of the tables of `styleinv.errors`."""
    found = []
    for table, code in ((errors._TROUBLE, errors.SystemTrouble.exit_code), (errors._WRONG, errors.UserError.exit_code)):
        for number, (what, cure) in table.items():
            assert number is not None and os.strerror(number) and number in errno.errorcode
            found.append(Line(f"⟨file⟩: {what}", cure, code))
    return found


def workflow_lines() -> list[Line]:
    """What the workflow refuses before its first job."""
    module = _Module(PREFLIGHT)
    found = [
        node
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "exit"
    ]
    texts = [module.text(node.args[0]).partition(". ") for node in sorted(found, key=lambda node: node.lineno)]
    return [Line(says, cure, 1) for says, _, cure in texts]


def page() -> str:
    """Write the page."""
    names, rooms = family(), {room: [] for room in ROOMS}
    for file in sorted(SOURCE.rglob("*.py")):
        room = file.relative_to(SOURCE).with_suffix("").parts[0]
        if room != "errors" and (found := list(lines(file, names))):
            # Others only pass on what another line says.
            rooms[room] += [line for line in found if re.sub(r"⟨[^⟩]*⟩|\\W", "", line.says)]
    codes = ", ".join(f"{code} {word}" for code, word in CODES.items())
    text = [HEAD.format(codes=codes)]
    text += ["## The machine", "", *_table(system_lines())]
    text += ["## The workflow, before its first job", "", *_table(workflow_lines())]
    for room, title in ROOMS.items():
        if rooms[room]:
            text += [f"## {title}", "", f"From `styleinv/{room}`.", "", *_table(rooms[room])]
    return "\n".join(text)


if __name__ == "__main__":
    PAGE.write_text(page())
