"""Tables, gallery, report: what the runs of a configuration come to."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from styleinv.config import BEST_BY, dataset_title, lineage, load_experiment, method_title
from styleinv.data.census import Census, share_line
from styleinv.data.store import FrameStore
from styleinv.data.video import probe, write_video
from styleinv.errors import UserError, cannot_read
from styleinv.files import Hashes, read_json, read_object, read_scores
from styleinv.paths import GALLERY_SEEDS, Paths
from styleinv.report.html import Film, RunView, Shelf, StageView, duration, write_report
from styleinv.report.published import by_run, read_published
from styleinv.report.seeds import over_seeds
from styleinv.report.tables import NO_SCORES, RunResult, make_table, write_table
from styleinv.runs import Run
from styleinv.stages.figures import real_video
from styleinv.stages.model import Model
from styleinv.stages.setting import Setting

# The report shows videos at least this wide: those of the demo have 32 pixels.
FACE = 192
# Of each gallery video; nobody chose them.
GALLERY_FRAMES = 128


def table(experiment: str, runs: list[Run], setting: Setting) -> None:
    """Write results/tables/<experiment>.csv, .md and .tex from the runs' metrics.json."""
    asked = load_experiment(experiment, setting.config.parent)
    file = setting.config.parent / "experiments" / f"{experiment}.yaml"
    results = over_seeds(_results(runs, setting, asked.best_by))
    results += _not_run(results, asked.table, setting)
    made = make_table(
        results,
        _published(setting),
        asked.best_by,
        asked.columns,
        file,
        printed_table=asked.table,
        against=asked.against,
        within=asked.within,
    )
    out = setting.paths.table(experiment)
    write_table(made, out, out.with_suffix(".md"), asked.title, _shares(runs, setting))


def gallery(runs: list[Run], setting: Setting) -> None:
    """Write videos of the same seeds to results/gallery/: one of each run, and a real one of each data set.

    They are enlarged by a whole factor to at least `FACE` pixels, nearest neighbour, so that pixels stay pixels.
    """
    paths = setting.paths
    for dataset in dict.fromkeys(run.dataset for run in runs):
        store = FrameStore(paths.frames(dataset), Hashes(paths.hashes))
        for seed in GALLERY_SEEDS:
            number, frames = real_video(store, seed, range(GALLERY_FRAMES))
            film = _enlarged(store.frames(number, frames))
            write_video(paths.film(dataset, "real", seed), film, store.fps, comment=f"Real video {store.names[number]}")
    for run in runs:
        model = Model(run, paths, setting.scale.device)
        for seed in GALLERY_SEEDS:
            film = _enlarged(model.generate(seed, frames=GALLERY_FRAMES))
            write_video(paths.film(run.dataset, run.folder, seed), film, model.fps, comment=model.note)


def _enlarged(frames: np.ndarray) -> np.ndarray:
    factor = max(1, -(-FACE // frames.shape[1]))
    return frames.repeat(factor, axis=1).repeat(factor, axis=2)


def report(runs: list[Run], setting: Setting) -> None:
    """Write results/report.html from everything the runs left."""
    results = over_seeds([*_results(runs, setting, BEST_BY), *_other_protocols(runs, setting)])
    made = make_table(results, _published(setting), BEST_BY)
    views = [_view(run, setting) for run in runs]
    shelves = [
        _shelf(dataset, seed, runs, setting)
        for dataset in dict.fromkeys(run.dataset for run in runs)
        for seed in GALLERY_SEEDS
    ]
    title = "StyleInV: measured beside published"
    small = [setting.dataset(run.dataset).resolution for run in runs if setting.dataset(run.dataset).resolution < FACE]
    enlarged = f"Videos of fewer than {FACE} pixels are enlarged by a whole factor, nearest neighbour." if small else ""
    story = _story(runs, views, setting)
    write_report(setting.paths.report, title, story, made, views, shelves, enlarged, _shares(runs, setting))


def _view(run: Run, setting: Setting) -> RunView:
    """Collect what the page tells of a run."""
    paths, folder = setting.paths, setting.config.parent
    stages = []
    for part in lineage(run, folder):
        zoom = max(1, -(-FACE // setting.dataset(part.dataset).resolution))
        samples = paths.samples(part)
        log = paths.root / "logs" / "train" / part.dataset / f"{part.folder}.history.log"
        stages.append(
            StageView(
                run=str(part),
                method=method_title(part, folder),
                command=f"styleinv train {part} --config {setting.config}",
                curves_csv=paths.curves(part),
                samples=(samples, _width(samples) * zoom),
                provenance=read_json(paths.provenance(paths.run(part), "train")),
                log=_relative(log, paths) if log.exists() else "",
            )
        )
    scoring = read_object(paths.provenance(paths.run(run), "evaluate"))
    own = [paths.metrics(run), paths.protocol(run), paths.diagnostics(run), paths.config(run)]
    own += [paths.provenance(paths.run(run), stage) for stage in ("train", "evaluate")]
    logs = [paths.root / "logs" / stage / run.dataset / f"{run.folder}.history.log" for stage in ("train", "evaluate")]
    files = {file.name: _relative(file, paths) for file in own if file.exists()}
    files |= {f"log of {log.parent.parent.name}": _relative(log, paths) for log in logs if log.exists()}
    inputs = scoring.get("inputs", {})
    named = {"checkpoint": paths.model(run), "data": paths.frames(run.dataset)}
    hashes = {
        what: value for what, file in named.items() for name, value in inputs.items() if Path(name).name == file.name
    }
    return RunView(
        run=str(run),
        dataset=dataset_title(run.dataset, folder),
        method=method_title(run, folder) + (f", seed {run.seed}" if run.seed is not None else ""),
        stages=stages,
        hashes=hashes,
        metrics=read_scores(paths.metrics(run)),
        scoring=scoring,
        command=f"styleinv evaluate {run} --config {setting.config}",
        files=files,
    )


def _relative(file: Path, paths: Paths) -> str:
    return file.relative_to(paths.report.parent).as_posix()


def _shelf(dataset: str, seed: int, runs: list[Run], setting: Setting) -> Shelf:
    folder, paths = setting.config.parent, setting.paths
    real = paths.film(dataset, "real", seed)
    films = [Film("Real video", real, probe(real).width)]
    for run in (run for run in runs if run.dataset == dataset):
        file = paths.film(dataset, run.folder, seed)
        label = method_title(run, folder) + (f", seed {run.seed}" if run.seed is not None else "")
        films.append(Film(label, file, probe(file).width, str(run).replace("/", "-")))
    return Shelf(dataset_title(dataset, folder), seed, films)


def _story(runs: list[Run], views: list[RunView], setting: Setting) -> list[str]:
    """Tell what was run to somebody who was not there."""
    folder, lines = setting.config.parent, []
    for dataset in dict.fromkeys(run.dataset for run in runs):
        census, side = Census.read(setting.paths.census(dataset)), setting.dataset(dataset).resolution
        methods = list(dict.fromkeys(method_title(run, folder) for run in runs if run.dataset == dataset))
        seeds = sorted({setting.seed(run) for run in runs if run.dataset == dataset})
        counted = f"{census.videos:,} videos, {census.frames:,} frames of {side} x {side} pixels"
        trained = f"{'seeds' if len(seeds) > 1 else 'seed'} {', '.join(map(str, seeds))}"
        lines.append(
            f"{_listed(methods)} {'were' if len(methods) > 1 else 'was'} trained on {dataset_title(dataset, folder)}"
            f" ({counted}) at the scale {setting.config.stem}, with {trained}."
        )
    rules = {view.metrics["protocol"].get("rules", {}).get("protocol", "") for view in views}
    fakes = {view.metrics["protocol"].get("rules", {}).get("n_fake") for view in views}
    detectors = (
        "a stand-in's networks" if any(view.metrics.get("stand_in") for view in views) else "the official networks"
    )
    how = f"{_listed(sorted(map(str, fakes)))} generated videos of each, compared with real ones by {detectors}"
    lines.append(f"All were scored by the rules {_listed(sorted(filter(None, rules)))}: {how}. Lower is better.")
    trainings = {stage.run: stage.provenance for view in views for stage in view.stages}
    seconds = sum(float(one.get("training_seconds") or one.get("seconds") or 0) for one in trainings.values())
    ended = max((str(one.get("ended", "")) for one in trainings.values()), default="")
    commits = sorted({str(one.get("commit"))[:12] for one in trainings.values() if one.get("commit")})
    devices = sorted({str(one.get("device")) for one in trainings.values()})
    by = f" by commit {_listed(commits)}" if commits else ""
    lines.append(
        f"{len(trainings)} trainings took {duration(seconds)} on {_listed(devices)}{by}; the last ended {ended[:10]}."
    )
    return lines


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


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


def _not_run(results: list[RunResult], table: str, setting: Setting) -> list[RunResult]:
    """Give the rows of a printed table, on the data sets of the results, that nobody has run."""
    there = {(result.run.dataset, result.run.method, result.run.variant) for result in results}
    datasets = {dataset for dataset, _, _ in there}
    numbers = [number for number in read_published(_published(setting)) if number.table == table]
    lacking = [key for key in by_run(numbers) if key[0] in datasets and key not in there]
    runs = [Run(dataset=dataset, method=method, variant=variant) for dataset, method, variant in lacking]
    return [replace(_result(run, setting, dict(NO_SCORES)), share="") for run in runs]


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
