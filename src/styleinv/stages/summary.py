"""Tables, figures, report: what the runs of a configuration come to."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from PIL import Image

from styleinv.config import BEST_BY, dataset_title, lineage, load_experiment, method_title
from styleinv.data.census import Census, share_line
from styleinv.data.video import probe
from styleinv.errors import UserError, cannot_read
from styleinv.files import read_json, read_scores
from styleinv.report.figures import curves_figure, film_strip
from styleinv.report.html import RunView, write_report
from styleinv.report.seeds import over_seeds
from styleinv.report.tables import RunResult, make_table, write_table
from styleinv.runs import Run
from styleinv.stages.model import Model
from styleinv.stages.setting import Setting

# The report shows frames at least this wide: those of the demo have 32 pixels.
FACE = 192


def table(experiment: str, runs: list[Run], setting: Setting) -> None:
    """Write results/tables/<experiment>.csv and .md from the runs' metrics.json."""
    asked = load_experiment(experiment, setting.config.parent)
    file = setting.config.parent / "experiments" / f"{experiment}.yaml"
    results = over_seeds(_results(runs, setting, asked.best_by))
    made = make_table(results, _published(setting), asked.best_by, asked.columns, file)
    out = setting.paths.table(experiment)
    write_table(made, out, out.with_suffix(".md"), asked.title, _shares(runs, setting))


def figures(runs: list[Run], setting: Setting) -> None:
    """Write one figure of curves and one film strip per run to results/figures/."""
    folder = setting.paths.figures
    for run in runs:
        stem = f"{run.dataset}-{run.folder}"
        curves_figure(
            {str(r): setting.paths.curves(r) for r in lineage(run, setting.config.parent)},
            folder / f"{stem}-curves.png",
        )
        generator = Model(run, setting.paths, setting.scale.device).generator
        film_strip(generator.videos(range(4), torch.arange(128), "round"), folder / f"{stem}-strip.png")


def report(runs: list[Run], setting: Setting) -> None:
    """Write results/report.html from everything the runs left."""
    paths = setting.paths
    views = []
    for run in runs:
        for part in lineage(run, setting.config.parent):
            folder = paths.run(part)
            own = part == run
            videos, samples = sorted(folder.glob("samples*.mp4")), paths.samples(part)
            zoom = max(1, -(-FACE // setting.dataset(part.dataset).resolution))
            widths = {video: probe(video).width * zoom for video in videos} | {samples: _width(samples) * zoom}
            views.append(
                RunView(
                    run=str(part),
                    dataset=dataset_title(part.dataset, setting.config.parent),
                    method=method_title(part, setting.config.parent),
                    stage="train",
                    curves_csv=paths.curves(part),
                    videos=videos,
                    images=[samples] + ([paths.figures / f"{run.dataset}-{run.folder}-strip.png"] if own else []),
                    widths=widths,
                    provenance=read_json(folder / "provenance.json"),
                    metrics=read_scores(paths.metrics(part)) if own else None,
                )
            )
    results = over_seeds([*_results(runs, setting, BEST_BY), *_other_protocols(runs, setting)])
    made = make_table(results, _published(setting), BEST_BY)
    write_report(paths.report, "StyleInV: measured beside published", made, views, _shares(runs, setting))


def _width(picture: Path) -> int:
    try:
        with Image.open(picture) as image:
            return image.width
    except OSError as error:
        raise cannot_read(picture, error) from None


def _results(runs: list[Run], setting: Setting, best_by: str) -> list[RunResult]:
    if not runs:
        raise UserError("no runs given", cure="Name runs such as talking_faces/styleinv.")
    return [
        _result(run, setting, read_scores(setting.paths.metrics(run)), _along(run, setting, best_by)) for run in runs
    ]


def _result(run: Run, setting: Setting, metrics: dict[str, Any], along: Sequence[float] = ()) -> RunResult:
    folder = setting.config.parent
    title = dataset_title(run.dataset, folder)
    share = Census.read(setting.paths.census(run.dataset)).share
    whole = share is None or {share.videos, share.frames} <= {1, None}
    partly = "" if whole else share_line(title, share) or ""
    return RunResult(run, title, method_title(run, folder), metrics, along, partly)


def _along(run: Run, setting: Setting, metric: str) -> list[float]:
    """Read the scores, by one metric, of the models that a run has kept, where the scale keeps any.

    Raises:
        UserError: if they are missing, or were scored by another protocol than the run.
    """
    if not setting.scale.snapshots:
        return []
    file, metrics = setting.paths.progress(run), read_scores(setting.paths.metrics(run))
    if not file.exists():
        raise UserError("does not exist", file=file, cure=f"Run `styleinv progress {run}`.")
    scores = pd.read_csv(file)
    if set(scores["protocol"]) != {metrics["protocol_id"]}:
        raise UserError("has scores of another protocol", file=file, cure=f"Run `styleinv progress {run}` again.")
    return scores[metric].tolist() if metric in scores else []


def _shares(runs: list[Run], setting: Setting) -> list[str]:
    """Say how much of the paper's data the runs had, a line for each data set whose counts the paper gives."""
    lines = []
    for dataset in dict.fromkeys(run.dataset for run in runs):
        share = Census.read(setting.paths.census(dataset)).share
        line = share_line(dataset_title(dataset, setting.config.parent), share)
        lines += [line] if line else []
    return lines


def _other_protocols(runs: list[Run], setting: Setting) -> list[RunResult]:
    """Give the same runs by the protocols that only the report shows, as rows of their own."""
    return [
        replace(result, method=f"{result.method}, {name}")
        for run in runs
        for name, scores in read_scores(setting.paths.metrics(run)).get("also", {}).items()
        for result in (_result(run, setting, scores),)
    ]


def _published(setting: Setting) -> Path:
    return setting.config.parent / "published.csv"
