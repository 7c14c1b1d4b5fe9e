"""plan: what a study will take before any of it runs: jobs, GPU days, disk, and wall time for some GPUs."""

import csv
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from styleinv import methods
from styleinv.config import (
    Study,
    figure_names,
    gpus_of,
    is_aligned,
    lineage,
    load_figure,
    load_question,
    needs,
    question_names,
)
from styleinv.errors import UserError
from styleinv.runs import Run, parse_run
from styleinv.schema import Layer, parse, read_layer
from styleinv.stages.schedule import Task, finish
from styleinv.stages.setting import Setting

# The target that measures costs, which needs no training.
COST_TABLE = "table_s1"
# Float32: what continues a training (networks, averages, both moments of Adam); a model has networks and averages.
STATE_BYTES, MODEL_BYTES, FROZEN_BYTES = 4 * 4, 2 * 4, 4


@dataclass(frozen=True)
class Training:
    """One training of the study; it takes `gpus` at once, `days` on one of them."""

    run: Run
    below: Run | None
    days: float
    bytes: int = 0
    gpus: int = 1


@dataclass(frozen=True)
class Limits:
    """What a training should ask its scheduler for, from what was measured of it.

    Attributes:
        minutes: run time with a quarter and half an hour to spare, on so many GPUs.
        megabytes: host memory of all processes, with a half to spare.
    """

    minutes: int
    megabytes: int | None


def measured_costs(table: Path, scale: str) -> dict[str, dict[str, str]]:
    """Read what `styleinv cost` has measured at a scale: training -> its row of cost.csv.

    Rows of another scale, or that do not say of which, are left out; empty where there is no table.
    """
    if not table.exists():
        return {}
    with open(table, newline="") as file:
        return {row["stage"]: row for row in csv.DictReader(file) if row.get("scale") == scale}


def cost_of(run: Run, measured: Mapping[str, dict[str, str]]) -> dict[str, str] | None:
    """Find the row of a training; a seed costs as much as another."""
    return measured.get(str(run)) or measured.get(str(run.seeded(None)))


def limits(run: Run, measured: Mapping[str, dict[str, str]], gpus: int) -> Limits | None:
    """Say what a training of `gpus` processes should ask for; None where it was not measured."""
    if (row := cost_of(run, measured)) is None:
        return None
    minutes = math.ceil(float(row["days"]) * 24 * 60 / gpus * 1.25) + 30
    return Limits(minutes, math.ceil(float(row["host_gb"]) * 1.5 * gpus) * 1000 if row["host_gb"] else None)


def plan(
    targets: Sequence[str],
    setting: Setting,
    gpus: int,
    datasets: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    each: int | None = None,
) -> str:
    """Write the plan of a study as text: what `snakemake` makes of the same targets where nothing is made yet.

    Args:
        targets: experiments, figures, questions, `report`, `all`, or runs; what they build on is counted once.
        gpus: GPUs that trainings may hold at the same time.
        datasets, methods, seeds: of the study, instead of those of config.yaml.
        each: GPUs that a training takes, where its groups can be shared by so many, instead of `gpus` of config.yaml.

    Raises:
        UserError: for unknown targets, and a training that `styleinv cost` has not measured.
    """
    if gpus < 1:
        raise UserError(f"{gpus} GPUs train nothing", cure="Give --gpus 1 or more.")
    given = {"datasets": datasets, "methods": methods, "seeds": seeds, "gpus": each}
    said = Layer("--datasets, --methods, --seeds, --each", {k: v for k, v in given.items() if v is not None})
    study = parse(Study, read_layer(setting.config.parent / "config.yaml"), said)
    runs, drawn, more, summaries = _targets(targets, study, setting)
    trainings, device = _trainings([*runs, *drawn], setting, min(gpus, study.gpus))
    days = sum(training.days for training in trainings.values())
    lines = [f"{'stage':28} {'jobs':>5} {'device days':>12}"]
    counts = job_counts(runs, trainings, setting, more) | summaries
    for stage, count in counts.items():
        spent = sum(t.days for t in trainings.values() if stage == f"train_{t.run.method}")
        lines.append(f"{stage:28} {count:5d} {f'{spent:12.2f}' if spent else '':>12}")
    lines.append(f"{'in all':28} {sum(counts.values()):5d} {days:12.2f}")
    longest = wall_days(trainings, sum(t.gpus for t in trainings.values()))
    models = setting.scale.snapshots + 1
    lines += [
        "",
        f"wall time with {gpus} at once   {wall_days(trainings, gpus):.2f} days"
        f" (with any number: {longest:.2f}, as some build on others)",
        f"disk                      {sum(t.bytes for t in trainings.values()) / 1e9:.1f} GB"
        f" of models ({models} a training) and resumable states, besides the data sets",
        "",
        f"Days are those of the {device}, from results/tables/cost.csv, shared without loss by the GPUs of a training;",
        f"scoring is not in them: evaluate scores the last model, progress {models}.",
    ]
    return "\n".join(lines)


def _targets(
    targets: Sequence[str], study: Study, setting: Setting
) -> tuple[list[Run], list[Run], list[str], dict[str, int]]:
    """Give the runs that some targets need scored, those that they draw, data sets besides, and the jobs for these."""
    tables, folder = study.tables(setting.config), setting.config.parent
    figures, questions = figure_names(folder), question_names(folder)
    runs: dict[Run, None] = {}
    drawn: dict[Run, None] = {}
    data: dict[str, None] = {}
    summaries: dict[str, int] = {}
    for target in targets:
        if "/" in target:
            runs[parse_run(target)] = None
            continue
        every = [*tables, COST_TABLE, *figures]
        if target not in (*every, *questions, "all", "questions"):
            cure = f"Known: {', '.join([*every, *questions])}, questions, all, and runs."
            raise UserError(f"unknown target {target!r}", cure=cure)
        behind = {"all": every, "questions": questions}
        summaries |= dict.fromkeys([*behind.get(target, []), target], 1)
    if "report" in summaries:
        summaries["gallery"] = 1
    for name in summaries:
        runs |= dict.fromkeys(tables.get(name, []))
        if name in figures:
            figure = load_figure(name, folder)
            shown, models = study.shown(figure, setting.scale, folder), figure.models
        elif name in questions:
            shown, models = study.asked(load_question(name, folder), setting.scale, folder), True
        else:
            continue
        drawn |= dict.fromkeys((*shown.runs, *shown.styles) if models else ())
        data |= dict.fromkeys((*shown.datasets, *shown.unseen))
    return list(runs), list(drawn), list(data), summaries


def _trainings(runs: Sequence[Run], setting: Setting, gpus: int) -> tuple[dict[Run, Training], str]:
    table = setting.paths.table("cost")
    measured = measured_costs(table, setting.config.stem)
    found: dict[Run, Training] = {}
    for run in runs:
        below = None
        for part in lineage(run, setting.config.parent):
            if (row := cost_of(part, measured)) is None:
                names = dict.fromkeys(str(one.seeded(None)) for one in runs)
                raise UserError(
                    f"has no cost of {part}",
                    file=table,
                    cure=f"Run `styleinv cost {' '.join(names)} --config {setting.config}`.",
                )
            trained, frozen = int(row["trained_parameters"]), int(row["frozen_parameters"])
            models = (1 + setting.scale.snapshots) * (trained * MODEL_BYTES + frozen * FROZEN_BYTES)
            size = models + trained * STATE_BYTES + frozen * FROZEN_BYTES
            found[part] = Training(part, below, float(row["days"]), size, gpus_of(part, setting.config, gpus))
            below = part
    return found, next(iter(measured.values()))["device"] if measured else ""


def job_counts(
    runs: Sequence[Run], trainings: Mapping[Run, Training], setting: Setting, more: Sequence[str] = ()
) -> dict[str, int]:
    """Count the jobs of every rule that runs, their trainings and more data sets need, without those that sum up."""
    datasets = {run.dataset for run in trainings} | set(more)
    crops = Counter("crop_aligned" if is_aligned(setting.dataset(name)) else "crop" for name in sorted(datasets))
    counts = {"fetch": len(datasets), **crops}
    prepared = {
        (name, methods.preparation(name).output(setting.paths, run))
        for run in trainings
        for name in needs(run, setting.config.parent)
    }
    for name in sorted({name for name, _ in prepared}):
        counts[name] = sum(stage == name for stage, _ in prepared)
    for method in sorted({run.method for run in trainings}):
        counts[f"train_{method}"] = sum(run.method == method for run in trainings)
    scoring = ["evaluate", *(["progress"] if setting.scale.snapshots else [])] if runs else []
    return counts | dict.fromkeys(scoring, len(runs))


def wall_days(trainings: Mapping[Run, Training], gpus: int) -> float:
    """Count the days until the last training ends with so many GPUs, the one with most behind it first."""
    tasks = {
        run: Task(one.days / one.gpus, [one.below] if one.below else [], one.gpus) for run, one in trainings.items()
    }
    return finish(tasks, gpus)
