"""question: experiments beyond the paper, from the runs that there are.

A new question of known kinds is one file of config/questions; a new kind is one function and its row in `KINDS`.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch

from styleinv.config import Question, load_question, question_names, seed_of
from styleinv.data.census import Census
from styleinv.data.labels import stored_labels
from styleinv.data.manifest import Manifest
from styleinv.errors import UserError
from styleinv.evaluation.diagnostics import (
    Measures,
    diagnose,
    layout_followed,
    motion_followed,
    watch_generator,
    watch_store,
)
from styleinv.evaluation.face_labels import POSE, FaceReader, fit_reader
from styleinv.evaluation.frechet import frechet_of_moments
from styleinv.files import write_json, write_text
from styleinv.methods.stylegan2.synthesis import Generator
from styleinv.report.answers import COLUMNS, MEASURES, REAL, Answer, Row, check_measures
from styleinv.rng import stream, torch_generator
from styleinv.stages.given import Given, each, study_of
from styleinv.stages.setting import Setting
from styleinv.stages.showing import resized

# Latents by which two mappings are compared.
LATENTS = 1000


@dataclass(frozen=True)
class Asking(Given):
    """What a kind of measurement is given: what it is of, the question's file, and the readers that were fitted."""

    question: Question
    readers: dict[str, FaceReader | None] = field(default_factory=dict)

    @property
    def seeds(self) -> range:
        """Seeds of the generated videos."""
        return range(self.question.videos)

    def reader(self, dataset: str) -> FaceReader | None:
        """Give the reader of a data set's faces, which is fitted once; None where it has no exact labels."""
        if dataset not in self.readers:
            paths = self.setting.paths
            labels = stored_labels(Manifest.read(paths.raw(dataset)), Census.read(paths.census(dataset)))
            self.readers[dataset] = None if labels is None else fit_reader(self.store(dataset), labels)
        return self.readers[dataset]


def questions(
    names: Sequence[str], setting: Setting, datasets: list[str] | None = None, seeds: list[int] | None = None
) -> Iterator[str]:
    """Answer questions in results/questions: a table, a page and a record; yields a line for each.

    Args:
        names: which; all that the runs at hand allow if none are named, and the line of any other says what it lacks.
        setting: scale and results.
        datasets: in the place of those of config.yaml, for questions that name none.
        seeds: of the trainings, likewise.

    Raises:
        UserError: no such question, kind or measure, a style that no run has latents for, or one that was named lacks
            something.
    """
    folder = setting.config.parent
    study = study_of(setting, datasets=datasets, seeds=seeds)

    def prepare(name: str) -> Asking:
        question, file = load_question(name, folder), folder / "questions" / f"{name}.yaml"
        for kind in question.kinds:
            if kind not in KINDS:
                raise UserError(f"unknown kind {kind!r}", file=file, field="kinds", cure=f"Known: {', '.join(KINDS)}.")
        for measure in check_measures(question.measures):
            cure = f"Known: {', '.join(MEASURES)}."
            raise UserError(f"unknown measure {measure!r}", file=file, field="measures", cure=cure)
        asking = Asking(study.asked(question, setting.scale, folder), setting, question)
        decoded = [style for run in asking.shown.runs for style in asking.tuned_from(run)]
        for style in asking.shown.styles:
            if style not in decoded:
                cure = "Name the data set that it was tuned from, and a run that builds on the same image generator."
                raise UserError(f"no run has latents for {style}", file=file, field="styles", cure=cure)
        return asking

    yield from each("question", names, question_names(folder), study, setting, prepare, _answer)


def _answer(name: str, asking: Asking) -> str:
    question, out = asking.question, asking.setting.paths.answer(name)
    rows = [row for kind in question.kinds for row in KINDS[kind](asking)]
    readers = {name: None if reader is None else _about(reader) for name, reader in asking.readers.items()}
    trainings = {seed_of(run, asking.setting.scale) for run in asking.shown.runs}
    scale = asking.setting.config.stem
    answer = Answer(
        question.title, question.asks, question.measures, rows, _names(asking), readers, len(trainings), scale
    )
    about = {"question": name, "title": question.title, "asks": " ".join(question.asks.split())}
    told = {"seeds": list(asking.seeds), "readers": readers, "findings": answer.findings(), "grounds": answer.grounds()}
    write_text(out, pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(index=False))
    write_text(out.with_suffix(".md"), answer.markdown())
    write_json(out.with_suffix(".json"), about | asking.record() | told)
    return f"{out.with_suffix('.md')}: {question.title}"


def _about(reader: FaceReader) -> dict[str, Any]:
    told = {one.name: getattr(reader, one.name) for one in dataclasses.fields(reader)}
    return {name: value for name, value in told.items() if name not in ("who", "poses")} | {"usable": reader.usable}


def _names(asking: Asking) -> dict[str, str]:
    """Names for people of all that a table names; runs of another seed than the scale's say so."""
    names = {REAL: "real videos"} | {name: asking.title(name) for name in asking.data}
    for run in asking.trained:
        seed = "" if run.seed is None else f", seed {run.seed}"
        style = f" on {asking.title(run.dataset)}" if run in asking.shown.styles else ""
        names[str(run)] = f"{asking.method(run)}{seed}{style}"
    return names


def rows_of(watched: pd.DataFrame, dataset: str, run: object, frames: int, on: object = "") -> Iterator[Row]:
    """Give mean and deviation of each measure over the rows of a table, one for each video; what is NaN does not count.

    Args:
        watched: a column for each measure.
        dataset: of the run.
        run: what was measured, or `REAL`.
        frames: of each video; 0 where it is not of videos.
        on: another run or data set that was measured with it.
    """
    for measure in watched.columns:
        values = watched[measure].dropna()
        if len(values):
            mean, std = values.mean(), values.std()
            yield dict(zip(COLUMNS, (dataset, str(run), str(on), frames, measure, mean, std, len(values)), strict=True))


def videos(asking: Asking) -> Iterator[Row]:
    """Persons, poses, motion, loops and drift of generated videos of each length, beside real ones.

    The spread of a pose is told in units of what it is within 128 frames of real videos.
    """
    question = asking.question
    units: dict[str, dict[str, float]] = {}
    for dataset in asking.shown.datasets:
        store, measure = asking.store(dataset), _measure(asking.reader(dataset))
        longest = int(max(store.lengths))
        for frames in [frames for frames in question.frames if frames <= longest] or [longest]:
            table = watch_store(store, REAL, frames, videos=question.videos, measure=measure)
            units.setdefault(dataset, _unit(table))
            yield from rows_of(_in_units(table, units[dataset]), dataset, REAL, frames)
    for run in asking.shown.runs:
        generator, measure = asking.model(run).generator, _measure(asking.reader(run.dataset))
        for frames in question.frames:
            table = watch_generator(generator, asking.seeds, frames, measure)
            yield from rows_of(_in_units(table, units[run.dataset]), run.dataset, run, frames)


def _measure(reader: FaceReader | None) -> Measures:
    if reader is None:
        return diagnose
    return lambda video: diagnose(video) | reader.measure(video)


def _unit(real: pd.DataFrame) -> dict[str, float]:
    """What the spread of each pose is in real videos."""
    return {name: float(real[f"{name}_spread"].mean()) for name in POSE if f"{name}_spread" in real}


def _in_units(table: pd.DataFrame, unit: dict[str, float]) -> pd.DataFrame:
    table = table.drop(columns=["side", "video"])
    for name, real in unit.items():
        for part in ("spread", "first", "last"):
            table[f"{name}_{part}"] /= real if real > 0 else math.nan
    return table


def inversions(asking: Asking) -> Iterator[Row]:
    """How far the encoder's inversions are from first frames of the run's own videos, and of unseen persons."""
    for run in asking.shown.runs:
        model = asking.model(run)
        for dataset in (run.dataset, *asking.shown.unseen):
            store = asking.store(dataset)
            chosen = stream(0, "questions").permutation(len(store))[: asking.question.videos].tolist()
            images = [resized(store.frames(video, [0])[0], model.resolution) for video in chosen]
            errors = pd.DataFrame({"inversion_error": [model.invert(image).error for image in images]})
            yield from rows_of(errors, run.dataset, run, 0, dataset)


def transfers(asking: Asking) -> Iterator[Row]:
    """How far fine-tuning moves W, and how well videos in the style follow those of the parent."""
    for run in asking.shown.runs:
        model = asking.model(run)
        for style in asking.tuned_from(run):
            styled = model.stylize(style, same_w=False)
            parent, tuned = (one.generator.decoder for one in (model, styled))  # type: ignore[attr-defined]
            yield from rows_of(w_shift(parent, tuned), run.dataset, style, 0, run)
            for frames in asking.question.frames:
                table = pd.DataFrame(_followed(model.generator, styled.generator, asking.seeds, frames))
                yield from rows_of(table, run.dataset, style, frames, run)


@torch.no_grad()
def w_shift(parent: Generator, tuned: Generator) -> pd.DataFrame:
    """Compare the mappings of two generators on the same z.

    Returns:
        `w_shift`: |w' - w|^2 of each z, and in the first row `w_moments`: the Fréchet distance of both distributions of
        w. Both in units of the parent's variance of w, summed over its dimensions.
    """
    z = torch.randn([LATENTS, parent.z_dim], generator=torch_generator("w shift", 0))
    before, after = (G.mapping(z.to(G.mapping.w_avg.device))[:, 0].double().cpu().numpy() for G in (parent, tuned))
    spread = float(before.var(axis=0, ddof=1).sum())
    moments = [(w.mean(axis=0), np.cov(w.T)) for w in (before, after)]
    distance = max(0.0, frechet_of_moments(*moments[0], *moments[1]).distance)
    table = pd.DataFrame({"w_shift": np.square(after - before).sum(axis=1) / spread})
    table.loc[0, "w_moments"] = distance / spread
    return table


def _followed(own: Any, styled: Any, seeds: Sequence[int], frames: int) -> Iterator[dict[str, float]]:
    times = torch.arange(frames)
    for seed in seeds:
        pair = [generator.videos([seed], times, "round").cpu() for generator in (own, styled)]
        yield {one.__name__: float(one(*pair)) for one in (motion_followed, layout_followed)}


Kind = Callable[[Asking], Iterator[Row]]
KINDS: dict[str, Kind] = {"videos": videos, "inversions": inversions, "transfers": transfers}
