"""Running steps, and the record of what they gave."""

import datetime
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.steps import Bench, Step
from benchmarks.record import HISTORY, Result, _git, entry, machine, table
from styleinv.files import read_json, write_json


@dataclass
class Record:
    """What steps gave on one device, at one commit.

    Attributes:
        path: of the file that keeps it.
        about: device, commit and machine; a file about others is begun anew.
        steps: by name: figures, or the error.
    """

    path: Path
    about: dict[str, Any]
    steps: dict[str, Any]

    @classmethod
    def of(cls, path: Path | None, bench: Bench) -> "Record":
        """Open the record of a device, with what it holds of the present commit."""
        dirty = bool(_git("status", "--porcelain", "--untracked-files=no"))
        about = {"device": bench.name, "commit": _git("rev-parse", "--short=10", "HEAD"), "dirty": dirty}
        about |= {"scale": bench.large.scale.stem, "machine": machine()}
        name = re.sub(r"\W+", "-", f"{about['commit']}{'-dirty' * dirty}-{bench.name}").lower()
        path = path or HISTORY / "gpu" / f"{name}.json"
        kept = read_json(path) if path.exists() else {}
        same = {key: kept.get(key) for key in about} == about
        return cls(path, about, kept["steps"] if same else {})

    def done(self, step: Step) -> bool:
        """Whether a step has given figures; a proof, also that it holds."""
        kept = self.steps.get(step.row.name, {})
        holds = all(figure["holds"] is not False for figure in kept.get("figures", []))
        return "figures" in kept and (holds or not step.proof)

    def keep(self, step: Step, kept: dict[str, Any]) -> None:
        """Write what a step gave."""
        self.steps[step.row.name] = kept
        date = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC"
        write_json(self.path, self.about | {"date": date, "steps": self.steps})


def run(steps: Sequence[Step], bench: Bench, record: Record, limit: float) -> int:
    """Take the steps that are not done yet, proofs first; measurements follow when all of these hold.

    Args:
        limit: seconds after which nothing may end.

    Returns:
        See `benchmarks.gpu.__main__.main`.
    """
    start, late = time.monotonic(), []
    for step in steps:
        if record.done(step):
            continue
        if not step.proof and any(one.proof and not record.done(one) for one in steps):
            late.append(step)
            continue
        if bench.device.type == "cuda" and time.monotonic() - start + step.seconds > limit:
            late.append(step)
            continue
        began = time.monotonic()
        try:
            values = [float(value) for value in step.work(bench)]
            kept = entry(Result(step.row, values, time.monotonic() - began))
        except Exception as error:  # of one step, which is not to end the others
            said = (str(error).splitlines() or [""])[0]
            kept = {"title": step.row.title, "error": f"{type(error).__name__}: {said}"[:500]}
        if bench.device.type == "cuda":
            torch.cuda.empty_cache()
        record.keep(step, kept)
        print(f"{step.row.name}: {kept.get('error', 'done')}, {time.monotonic() - began:.0f} s", file=sys.stderr)
    return _closing(steps, record, late)


def _closing(steps: Sequence[Step], record: Record, late: Sequence[Step]) -> int:
    rows, bad = [], []
    for step in steps:
        kept = record.steps.get(step.row.name, {})
        if "figures" in kept:
            values = [figure["value"] for figure in kept["figures"]]
            rows.append(Result(step.row, values))
            if not rows[-1].holds:
                bad.append(step.row.name)
        elif kept:
            bad.append(step.row.name)
    print(f"{record.about['device']}, commit {record.about['commit']}\n{table(rows)}\nwrote {record.path}")
    if bad:
        print(f"{', '.join(bad)}: not what it must be", file=sys.stderr)
    if late:
        proven = not any(one.proof and one.row.name in bad for one in steps)
        why = "no time was left" if proven else "proofs come first"
        print(f"{', '.join(one.row.name for one in late)}: {why}; the same command goes on", file=sys.stderr)
    return 1 if bad else 75 if late else 0
