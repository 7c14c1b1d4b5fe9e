"""Tables, figures, report: what the runs of a configuration come to."""

from pathlib import Path

import pandas as pd
import torch

from styleinv.config import lineage, load_experiment
from styleinv.data.census import share_line
from styleinv.errors import UserError
from styleinv.files import read_json
from styleinv.report.figures import curves_figure, film_strip
from styleinv.report.html import RunView, write_report
from styleinv.report.published import dataset_title
from styleinv.report.tables import RunResult, table_rows, write_table
from styleinv.runs import Run
from styleinv.stages.evaluate import load_generator
from styleinv.stages.setting import Setting


def table(experiment: str, runs: list[Run], setting: Setting) -> None:
    """Write results/tables/<experiment>.csv and .md from the runs' metrics.json."""
    title = load_experiment(experiment, setting.config.parent).title
    out = setting.paths.table(experiment)
    results = _results(runs, setting)
    write_table(results, _published(setting), out, out.with_suffix(".md"), title, _shares(runs, setting))


def figures(runs: list[Run], setting: Setting) -> None:
    """Write one figure of curves and one film strip per run to results/figures/."""
    folder = setting.paths.figures
    for run in runs:
        stem = f"{run.dataset}-{run.folder}"
        curves_figure(
            {str(r): setting.paths.curves(r) for r in lineage(run, setting.config.parent)},
            folder / f"{stem}-curves.png",
        )
        generator = load_generator(run, setting)
        film_strip(generator.videos(range(4), torch.arange(128), "round"), folder / f"{stem}-strip.png")


def report(runs: list[Run], setting: Setting) -> None:
    """Write results/report.html from everything the runs left."""
    paths = setting.paths
    views = []
    for run in runs:
        for part in lineage(run, setting.config.parent):
            folder = paths.run(part)
            own = part == run
            views.append(
                RunView(
                    run=str(part),
                    stage="train",
                    curves_csv=paths.curves(part),
                    videos=sorted(folder.glob("samples*.mp4")),
                    images=[paths.samples(part)]
                    + ([paths.figures / f"{run.dataset}-{run.folder}-strip.png"] if own else []),
                    provenance=read_json(folder / "provenance.json"),
                    metrics=read_json(paths.metrics(part)) if own else None,
                )
            )
    rows = table_rows([*_results(runs, setting), *_other_protocols(runs, setting)], _published(setting))
    write_report(paths.report, "StyleInV: measured beside published", rows, views, _shares(runs, setting))


def _results(runs: list[Run], setting: Setting) -> list[RunResult]:
    if not runs:
        raise UserError("no runs given", cure="Name runs such as talking_faces/styleinv.")
    return [
        RunResult(r.dataset, r.method, r.variant, read_json(setting.paths.metrics(r)), _along(r, setting)) for r in runs
    ]


def _along(run: Run, setting: Setting) -> list[float]:
    """FVD16 of the models that a run has kept, where the scale keeps any.

    Raises:
        UserError: if they are missing, or were scored by another protocol than the run.
    """
    if not setting.scale.snapshots:
        return []
    file, metrics = setting.paths.progress(run), read_json(setting.paths.metrics(run))
    if not file.exists():
        raise UserError("does not exist", file=file, cure=f"Run `styleinv progress {run}`.")
    scores = pd.read_csv(file)
    if set(scores["protocol"]) != {metrics["protocol_id"]}:
        raise UserError("has scores of another protocol", file=file, cure=f"Run `styleinv progress {run}` again.")
    return scores["fvd16"].tolist() if "fvd16" in scores else []


def _shares(runs: list[Run], setting: Setting) -> list[str]:
    """How much of the paper's data the runs had, one line per data set whose counts the paper gives."""
    lines = []
    for dataset in dict.fromkeys(run.dataset for run in runs):
        line = share_line(dataset_title(dataset), read_json(setting.paths.census(dataset)))
        lines += [line] if line else []
    return lines


def _other_protocols(runs: list[Run], setting: Setting) -> list[RunResult]:
    """The same runs by the protocols that only the report shows, as rows of their own."""
    return [
        RunResult(dataset=run.dataset, method=run.method, variant=run.variant, metrics=scores)
        for run in runs
        for scores in read_json(setting.paths.metrics(run)).get("also", {}).values()
    ]


def _published(setting: Setting) -> Path:
    return setting.config.parent / "published.csv"
