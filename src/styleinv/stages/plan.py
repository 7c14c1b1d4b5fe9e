"""plan: what a study will take before any of it runs: jobs, GPU days, disk, and wall time for some GPUs."""

import csv
import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from styleinv import methods
from styleinv.config import lineage, needs
from styleinv.errors import UserError
from styleinv.runs import Run
from styleinv.stages.setting import Setting

# Networks, their averages, and both moments of Adam, in float32; a model without the latter two.
STATE_BYTES, MODEL_BYTES = 4 * 4, 2 * 4


@dataclass(frozen=True)
class Training:
    """One training of the study."""

    run: Run
    below: Run | None
    days: float
    bytes: int


def plan(runs: Sequence[Run], setting: Setting, gpus: int) -> str:
    """Write the plan of a study as text.

    Args:
        runs: what is to be compared; what they build on is counted once.
        gpus: GPUs that trainings may hold at the same time, one each.

    Raises:
        UserError: for a training that `styleinv cost` has not measured.
    """
    if gpus < 1:
        raise UserError(f"{gpus} GPUs train nothing", cure="Give --gpus 1 or more.")
    trainings, device = _trainings(runs, setting)
    days = sum(training.days for training in trainings.values())
    jobs = _jobs(runs, trainings, setting)
    lines = [f"{'stage':28} {'jobs':>5} {'device days':>12}"]
    for stage, (count, stage_days) in jobs.items():
        lines.append(f"{stage:28} {count:5d} {f'{stage_days:12.2f}' if stage_days else '':>12}")
    total = sum(count for count, _ in jobs.values())
    lines.append(f"{'in all':28} {total:5d} {days:12.2f}")
    longest = wall_days(trainings, len(trainings))
    lines += [
        "",
        f"wall time with {gpus} at once   {wall_days(trainings, gpus):.2f} days"
        f" (with any number: {longest:.2f}, as some build on others)",
        f"disk                      {sum(t.bytes for t in trainings.values()) / 1e9:.1f} GB"
        " of models and resumable states, besides the data sets",
        "",
        f"Days are those of the {device}, from results/tables/cost.csv; evaluation is not in them.",
    ]
    return "\n".join(lines)


def _trainings(runs: Sequence[Run], setting: Setting) -> tuple[dict[Run, Training], str]:
    table = setting.paths.table("cost")
    measured: dict[str, dict[str, str]] = {}
    if table.exists():
        with open(table, newline="") as file:
            measured = {row["stage"]: row for row in csv.DictReader(file)}
    found: dict[Run, Training] = {}
    for run in runs:
        below = None
        for part in lineage(run, setting.config.parent):
            row = measured.get(str(part))
            if row is None:
                raise UserError(
                    f"has no cost of {part}",
                    file=table,
                    cure=f"Run `styleinv cost {' '.join(map(str, runs))} --config {setting.config}`.",
                )
            trained, frozen = int(row["trained_parameters"]), int(row["frozen_parameters"])
            size = trained * (STATE_BYTES + MODEL_BYTES) + 2 * 4 * frozen
            found[part] = Training(part, below, float(row["days"]), size)
            below = part
    return found, next(iter(measured.values()))["device"] if measured else ""


def _jobs(runs: Sequence[Run], trainings: Mapping[Run, Training], setting: Setting) -> dict[str, tuple[int, float]]:
    datasets = {run.dataset for run in trainings}
    jobs: dict[str, tuple[int, float]] = {"fetch": (len(datasets), 0), "crop": (len(datasets), 0)}
    prepared = {
        (name, str(methods.preparation(name).output(setting.paths, run)))
        for run in trainings
        for name in needs(run, setting.config.parent)
    }
    for name in sorted({name for name, _ in prepared}):
        jobs[name] = (sum(stage == name for stage, _ in prepared), 0)
    for method in sorted({run.method for run in trainings}):
        own = [t for run, t in trainings.items() if run.method == method]
        jobs[f"train_{method}"] = (len(own), sum(t.days for t in own))
    return jobs | {"evaluate": (len(set(runs)), 0)}


def wall_days(trainings: Mapping[Run, Training], gpus: int) -> float:
    """Count the days until the last training ends when `gpus` run at once, the one with most behind it first."""
    behind = {run: 0.0 for run in trainings}
    for training in reversed(list(trainings.values())):
        length = training.days + behind[training.run]
        if training.below is not None:
            behind[training.below] = max(behind[training.below], length)
    ready = [(-(t.days + behind[run]), str(run), run) for run, t in trainings.items() if t.below is None]
    heapq.heapify(ready)
    running: list[tuple[float, str, Run]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < gpus:
            _, name, run = heapq.heappop(ready)
            heapq.heappush(running, (now + trainings[run].days, name, run))
        now, _, ended = heapq.heappop(running)
        for run, training in trainings.items():
            if training.below == ended:
                heapq.heappush(ready, (-(training.days + behind[run]), str(run), run))
    return now
