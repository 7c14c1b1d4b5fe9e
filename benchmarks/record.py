"""Running rows, and the records of what they gave: one JSON file a commit, in benchmarks/history."""

import dataclasses
import datetime
import json
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.allocator import ROOT
from benchmarks.rows import ROWS, Figure, Row

HISTORY = ROOT / "benchmarks/history"


@dataclass(frozen=True)
class Result:
    """What a row gave.

    Attributes:
        row: of the suite.
        values: one a figure; None when the row was not run.
        seconds: of wall time that it took.
    """

    row: Row
    values: Sequence[float] | None
    seconds: float = 0

    @property
    def holds(self) -> bool:
        """Whether all that must hold holds."""
        assert self.values is not None
        return all(f.holds(v) is not False for f, v in zip(self.row.figures, self.values, strict=True))


def number(value: float | None) -> str:
    """Write a number with four digits that count; nothing for None."""
    if value is None:
        return ""
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return digits.replace("e-0", "e-")


def verdict(figure: Figure, value: float) -> str:
    """Say in a word whether a figure is what it must be."""
    holds = figure.holds(value)
    if holds is None:
        return ""
    if not holds:
        return "NO"
    better = figure.target is not None and dataclasses.replace(figure, must=figure.target).holds(value)
    return "yes, target too" if better else "yes"


def lines(result: Result) -> list[list[str]]:
    """List the cells of a row's lines: row, what, measured, must, target, holds?"""
    cells = []
    for i, figure in enumerate(result.row.figures):
        sign = "≤ " if figure.most else "≥ "
        limits = [sign + number(limit) if limit is not None else "" for limit in (figure.must, figure.target)]
        value = None if result.values is None else result.values[i]
        measured = "" if value is None else f"{number(value)} {figure.unit}".rstrip()
        name = result.row.name if i == 0 else ""
        cells.append([name, figure.what, measured, *limits, "" if value is None else verdict(figure, value)])
    return cells


def table(results: Sequence[Result]) -> str:
    """Lay out results for a terminal."""
    head = ["row", "what", "measured", "must", "target", "holds?"]
    blocks = [(r.row.title, lines(r)) for r in results]
    every = [head, *(cells for _, block in blocks for cells in block)]
    widths = [max(len(cells[i]) for cells in every) for i in range(len(head))]

    def line(cells: list[str]) -> str:
        return " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()

    text = [line(head)]
    for title, block in blocks:
        text += [f"-- {title}", *map(line, block)]
    return "\n".join(text)


def run(rows: Sequence[Row]) -> Iterator[Result]:
    """Run rows one after the other."""
    torch.set_num_threads(1)
    for row in rows:
        start = time.perf_counter()
        with torch.random.fork_rng():
            values = [float(value) for value in row.run()]
        yield Result(row, values, time.perf_counter() - start)


def save(results: Sequence[Result]) -> Path:
    """Write the record of the present commit; rows that it has and that were not run now stay."""
    dirty = bool(_git("status", "--porcelain", "--untracked-files=no"))
    commit, now = _git("rev-parse", "--short=10", "HEAD"), datetime.datetime.now(datetime.UTC)
    found = sorted(HISTORY.glob(f"*-{commit}{'-dirty' if dirty else ''}.json"))
    path = found[-1] if found else HISTORY / f"{now:%Y-%m-%d}-{commit}{'-dirty' if dirty else ''}.json"
    rows = json.loads(path.read_text())["rows"] if found else {}
    rows |= {result.row.name: entry(result) for result in results}
    record = {
        "date": f"{now:%Y-%m-%d %H:%M} UTC",
        "commit": commit,
        "dirty": dirty,
        "machine": machine(),
        "rows": {name: rows[name] for name in ROWS if name in rows},
    }
    HISTORY.mkdir(exist_ok=True)
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return path.relative_to(ROOT)


def entry(result: Result) -> dict[str, Any]:
    assert result.values is not None
    figures = [
        dataclasses.asdict(figure) | {"value": float(f"{value:.6g}"), "holds": figure.holds(value)}
        for figure, value in zip(result.row.figures, result.values, strict=True)
    ]
    return {"title": result.row.title, "seconds": round(result.seconds, 1), "figures": figures}


def machine() -> dict[str, Any]:
    """Describe what the figures were measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    return {
        "cores": os.cpu_count(),
        "cpu": model[1].strip() if model else platform.processor(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
    }


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
