"""docs/performance.md, made of records of the suite: of each row the newest."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import suite
from benchmarks.allocator import ROOT
from benchmarks.record import HISTORY, number, verdict
from benchmarks.rows import ROWS, Figure

assert suite, "registers the rows"
PAGE = ROOT / "docs/performance.md"

HEAD = """# How fast it is

`make bench` runs the rows below on one CPU core, prints them with what each must be, and keeps the figures of a
commit in `benchmarks/history/`; `python -m benchmarks --only C9 C10` runs some. `python -m benchmarks page` writes
this page from the newest of these records that has a row:

{records}

The peer of the networks is a textbook form of our own with the same weights (`benchmarks/textbook.py`): weights for
each sample, filters at the full rate on inserted zeros, the image encoded once for every frame, each bias and gain an
operation. It costs what the published implementations cost. Before two forms are timed, their results are compared.
Times are CPU times of calls that alternate in one process, ratios are medians over pairs: a machine that others use
too moves them by five per cent and more.
"""

BELIEVED = """## Believed, not measured

Nothing was measured on a GPU. `make bench-gpu` (`python -m benchmarks.gpu`, at most nine minutes a call, each step
kept) first proves there what the tests prove on a CPU, then measures G1 to G14; `.github/workflows/gpu.yml` is a job
for runners that have one. On CPUs its proofs are tested against themselves. What follows from the counts above and from
the rates of a GPU is reckoned, and waits for one:

| | |
|---|---|
| StyleGAN2, 256², one H200 | 25,000 kimg are 0.15 days of work at peak rate; 0.4 to 0.6 are expected |
| StyleInV, 256², one H200 | 0.24 days at peak rate; 0.6 to 0.8 are expected with the encoder in bfloat16 |
| operations | a GPU launches each; at 5 µs they, not arithmetic, bound small micro-batches |
| channels-last, graphs, fused filters | said to be faster on GPUs; on this CPU encoders gain by channels-last (C5) |

## What would give most next

1. A GPU run of the counted phases in each precision: every figure for GPUs above is an estimate.
2. One micro-batch of 64 with `torch.compile` or a CUDA graph for each phase: eight times fewer launches, then one.
3. One kernel for filter, demodulation, noise, bias, leaky ReLU and clamp of a synthesis layer, which now passes five
   times over its memory (C2).
4. Backward passes of convolutions are 60 % of a step on a CPU and belong to oneDNN. bfloat16 should help (C6).
   Channels-last, with the gradient of the weights by products of matrices (`nn/channels_last.py`), is what encoders
   have; G and D gained nothing by it, and gradients of gradients took longer.
5. Batches in memory that is kept: with `raw_cache` the loader copies each frame once, into new memory (C13).
"""


def text(files: Sequence[Path]) -> str:
    """Write the page of records, newest last; of each row the last counts."""
    records = {file: json.loads(file.read_text()) for file in files}
    owner = {name: file for file, record in records.items() for name in record["rows"] if name in ROWS}
    rows = {name: records[owner[name]]["rows"][name] for name in ROWS if name in owner}
    head = HEAD.format(records="\n".join(_source(file, records[file], owner) for file in files))
    counted = {name: entry for name, entry in rows.items() if ROWS[name].counted}
    measured = {name: entry for name, entry in rows.items() if not ROWS[name].counted}
    missed = [line for name, entry in rows.items() for line in _missed(name, entry)]
    missed += [f"- {name} was not measured." for name in ROWS if name not in rows]
    parts = [
        head,
        "## Counted\n\nThe same on every machine; `tests/benchmarks` holds what must hold.\n",
        _table(counted),
        "## Measured\n",
        _table(measured),
        "## What does not hold, and why\n",
        "\n".join(missed) + "\n" if missed else "Everything holds.\n",
        BELIEVED,
    ]
    return "\n".join(parts)


def _source(file: Path, record: dict[str, Any], owner: dict[str, Path]) -> str:
    machine, own = record["machine"], [name for name, source in owner.items() if source == file]
    return (
        f"- [{', '.join(own)}](../benchmarks/history/{file.name}): {record['date']}, commit `{record['commit']}`,"
        f" {machine['cpu']}, {machine['cores']} cores of which one was used, Python {machine['python']}, torch"
        f" {machine['torch']}."
    )


def newest() -> list[Path]:
    """Find the records of a commit that have a row which no later one has, newest last.

    Raises:
        FileNotFoundError: there is none.
    """
    records = {file: json.loads(file.read_text()) for file in HISTORY.glob("*.json")}
    clean = sorted((file for file, record in records.items() if not record["dirty"]), key=lambda f: records[f]["date"])
    if not clean:
        raise FileNotFoundError(f"no record of a commit in {HISTORY}: run python -m benchmarks")
    owner = {name: file for file in clean for name in records[file]["rows"]}
    return [file for file in clean if file in owner.values()]


def write() -> None:
    """Write the page of the newest records."""
    PAGE.write_text(text(newest()))


def _table(rows: dict[str, dict[str, Any]]) -> str:
    lines = ["| row | what | measured | must | target | holds? |", "|---|---|---|---|---|---|"]
    for name, entry in rows.items():
        lines.append(f"| **{name}** | *{ROWS[name].title}* | | | | |")
        for stored in entry["figures"]:
            figure, value = _figure(stored)
            sign = "≤ " if figure.most else "≥ "
            limits = [sign + number(limit) if limit is not None else "" for limit in (figure.must, figure.target)]
            cells = ["", figure.what, f"{number(value)} {figure.unit}".rstrip(), *limits, verdict(figure, value)]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _missed(name: str, entry: dict[str, Any]) -> list[str]:
    what = [figure.what for figure, value in map(_figure, entry["figures"]) if figure.holds(value) is False]
    return [f"- {name}, {', '.join(what)}. {ROWS[name].reason or 'Not explained yet.'}"] if what else []


def _figure(stored: dict[str, Any]) -> tuple[Figure, float]:
    fields = {key: value for key, value in stored.items() if key not in ("value", "holds")}
    return Figure(**fields), stored["value"]
