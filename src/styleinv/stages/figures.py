"""figures: the figures of the paper and its supplement, from the runs that there are.

A new kind of figure is one function and its row in `KINDS`; a new figure of a known kind is one file of config/figures.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from sklearn.manifold import TSNE

from styleinv.config import Figure, figure_names, load_figure
from styleinv.crop.crop_plan import plan_crop
from styleinv.crop.outlines import outlines
from styleinv.crop.raw import source_frames
from styleinv.crop.rendered import read_exact
from styleinv.crop.settings import Alignment
from styleinv.data.census import Census
from styleinv.data.frame_reader import FrameReader
from styleinv.data.manifest import Manifest
from styleinv.data.store import FrameStore
from styleinv.errors import UserError
from styleinv.files import write_json
from styleinv.generator import to_float, to_uint8
from styleinv.report.figures import scatter_figure
from styleinv.report.sheet import Block, Row, draw_sheet
from styleinv.rng import stream
from styleinv.runs import Run
from styleinv.stages.crop import make_aligner
from styleinv.stages.given import Given, each, study_of
from styleinv.stages.model import CHUNK, Model, load_encoder
from styleinv.stages.setting import Setting
from styleinv.stages.showing import resized
from styleinv.training.distribution import device_of


@dataclass(frozen=True)
class Drawing(Given):
    """What a kind of figure is given: what it is drawn of, and the figure's file."""

    figure: Figure

    @property
    def trained(self) -> tuple[Run, ...]:
        """Runs that must have been trained; none where data alone is drawn."""
        return super().trained if self.figure.models else ()

    def lacking(self) -> list[str]:
        """Name what is needed and not there."""
        if self.figure.styles and not self.shown.styles:
            return ["a style set, which `styles` of config.yaml names"]
        if self.figure.unseen and not self.shown.unseen:
            return ["persons that no training has seen, a data set that `unseen` of config.yaml names"]
        return super().lacking()

    def times(self, fps: float) -> torch.Tensor:
        """Give the times [T] that the figure shows, in frames."""
        return torch.tensor(self.figure.times(fps), dtype=torch.float64)

    def row(self, label: str, run: Run, model: Model, seed: int, before: Sequence[np.ndarray] = ()) -> Row:
        """Make the row of a generated video; `before` are frames that stand before it."""
        times = self.times(model.fps)
        try:
            clip = model.generator.videos([seed], times, "round")[0].permute(0, 2, 3, 1).numpy()
        except ValueError as error:
            raise UserError(f"{run}: {error}", field="frames", cure="Take other frames or runs.") from None
        return self.film(label, clip, times.tolist(), {"run": str(run), "seed": seed}, model.fps, before)

    def film(
        self,
        label: str,
        clip: np.ndarray,
        times: Sequence[float],
        about: dict[str, Any],
        fps: float,
        before: Sequence[np.ndarray] = (),
    ) -> Row:
        """Make a row of frames [T, R, R, 3] at some times."""
        seconds, every = self.figure.unit == "seconds", self.figure.marked
        heads = [_clock(time / fps) if seconds else f"t = {time:g}" for time in times]
        marked = [len(before) + i for i, time in enumerate(times) if every and time % every == 0]
        frames = np.concatenate([np.stack(before), clip]) if before else clip
        return Row(label, frames, [*[""] * len(before), *heads], about | {"frames": list(times)}, marked)


def figures(
    names: Sequence[str],
    setting: Setting,
    datasets: list[str] | None = None,
    methods: list[str] | None = None,
    seeds: list[int] | None = None,
    styles: list[str] | None = None,
    unseen: list[str] | None = None,
) -> Iterator[str]:
    """Draw figures to results/figures, each with a JSON record of what it shows; yields a line for each.

    Args:
        names: which; all that the runs at hand allow if none are named, and the line of any other says what it lacks.
        setting: scale and results.
        datasets, methods, seeds, styles, unseen: in the place of those of config.yaml.

    Raises:
        UserError: no such figure or kind, or one that was named lacks something.
    """
    folder = setting.config.parent
    study = study_of(setting, datasets=datasets, methods=methods, seeds=seeds, styles=styles, unseen=unseen)

    def prepare(name: str) -> Drawing:
        figure = load_figure(name, folder)
        if figure.kind not in KINDS:
            file, cure = folder / "figures" / f"{name}.yaml", f"Known: {', '.join(KINDS)}."
            raise UserError(f"unknown kind {figure.kind!r}", file=file, field="kind", cure=cure)
        return Drawing(study.shown(figure, setting.scale, folder), setting, figure)

    yield from each("figure", names, figure_names(folder), study, setting, prepare, _draw)


def _draw(name: str, drawing: Drawing) -> str:
    figure = drawing.figure
    picture = drawing.setting.paths.figure(name)
    rows = KINDS[figure.kind](drawing, picture)
    about = {"figure": name, "title": figure.title, "caption": " ".join(figure.caption.split())}
    write_json(picture.with_suffix(".json"), about | drawing.record() | {"rows": rows})
    return f"{picture}: {figure.title}"


def real_video(store: FrameStore, seed: int, frames: Sequence[float]) -> tuple[int, list[int]]:
    """Choose a real video by a seed, of those that have the last of some frames; where none has, of the longest ones.

    Returns:
        Its number, and those of the frames that it has.
    """
    need = int(max(frames, default=0)) + 1
    long = np.flatnonzero(store.lengths >= min(need, int(store.lengths.max())))
    video = int(stream(seed, "figures").choice(long))
    return video, [int(f) for f in frames if f == int(f) and f < store.lengths[video]]


def _real_row(drawing: Drawing, dataset: str, seed: int) -> Row:
    store = drawing.store(dataset)
    video, frames = real_video(store, seed, drawing.times(store.fps).tolist())
    about = {"dataset": dataset, "video": store.names[video], "seed": seed}
    return drawing.film("Real videos", store.frames(video, frames), frames, about, store.fps)


def samples(drawing: Drawing, out: Path) -> list[dict[str, Any]]:
    """Frames of the same seeds, methods and real videos under each other, a block for each data set and seed."""
    figure, shown = drawing.figure, drawing.shown
    rows: dict[tuple[str, int], list[Row]] = {(d, seed): [] for d in shown.datasets for seed in figure.seeds}
    for (dataset, seed), those in rows.items():
        those += [_real_row(drawing, dataset, seed)] if figure.real else []
    for run in shown.runs:
        model = drawing.model(run)
        for seed in figure.seeds:
            before = [_first_frame(model, seed)] if figure.initial else []
            rows[run.dataset, seed].append(drawing.row(drawing.method(run), run, model, seed, before))
    if figure.initial:
        rows = {key: [_headed(row, 0, "G(w0)") for row in those] for key, those in rows.items()}
    blocks = [Block(f"{drawing.title(dataset)}, seed {seed}", those) for (dataset, seed), those in rows.items()]
    return draw_sheet(blocks, out, figure.columns)


def _first_frame(model: Model, seed: int) -> np.ndarray:
    """G(w0) of a seed, uint8 [R, R, 3]."""
    if not hasattr(model.generator, "first_frame"):
        raise UserError(f"{model.run.method} has no initial frame", field="initial", cure="Take styleinv runs.")
    return to_uint8(model.generator.first_frame(seed)[1], "round").cpu()[0].permute(1, 2, 0).numpy()


def _headed(row: Row, number: int, head: str) -> Row:
    heads = [head if i == number else text for i, text in enumerate(row.heads)]
    return Row(row.label, row.frames, heads, {**row.about, "initial": True}, row.marked)


def styles(drawing: Drawing, out: Path) -> list[dict[str, Any]]:
    """Videos as their own generator decodes them, and below as the ones do that were tuned from it on style sets."""
    figure, blocks = drawing.figure, []
    for run in drawing.shown.runs:
        model = drawing.model(run)
        tuned = {style: model.stylize(style) for style in drawing.tuned_from(run)}
        for seed in figure.seeds:
            rows = [drawing.row(drawing.method(run), run, model, seed)]
            for style, styled in tuned.items():
                row = drawing.row(drawing.title(style.dataset), run, styled, seed)
                rows.append(Row(row.label, row.frames, row.heads, {**row.about, "style": str(style)}, row.marked))
            blocks.append(Block(f"{drawing.title(run.dataset)}, seed {seed}", rows))
    return draw_sheet(blocks, out, figure.columns)


def initial_frame(drawing: Drawing, out: Path) -> list[dict[str, Any]]:
    """Videos that begin with a real image: the image, its inversion, the video, and that in each style."""
    figure, shown, blocks = drawing.figure, drawing.shown, []
    for run in shown.runs:
        model = drawing.model(run)
        for dataset in (run.dataset, *shown.unseen):
            store = drawing.store(dataset)
            order = stream(figure.seeds[0], "figures").permutation(len(store))
            for number in order[: figure.videos].tolist():
                image = resized(store.frames(number, [0])[0], model.resolution)
                found = model.invert(image)
                moving, before = model.animate(found), [image, found.image]
                about = {"dataset": dataset, "video": store.names[number], "inversion_error": round(found.error, 3)}
                rows = [drawing.row(drawing.method(run), run, moving, figure.seeds[0], before)]
                for style in drawing.tuned_from(run):
                    row = drawing.row(drawing.title(style.dataset), run, moving.stylize(style), figure.seeds[0])
                    blank = np.full_like(row.frames[:1], 255)
                    frames = np.concatenate([blank, blank, row.frames])
                    rows.append(Row(row.label, frames, ["", "", *row.heads], {**row.about, "style": str(style)}))
                rows = [Row(r.label, r.frames, ["image", "inverted", *r.heads[2:]], {**r.about, **about}) for r in rows]
                seen = "seen in training" if dataset == run.dataset else "not seen in training"
                blocks.append(Block(f"{drawing.title(dataset)}, {store.names[number]}: {seen}", rows))
    return draw_sheet(blocks, out, figure.columns)


def first_frames(drawing: Drawing, out: Path) -> list[dict[str, Any]]:
    """Frame 0 of videos that share w0 and differ in their motion noise alone: the noise of every seed but the first."""
    figure = drawing.figure
    blocks: list[Block] = []
    content, *noises = figure.seeds
    for run in drawing.shown.runs:
        model = drawing.model(run)
        initial = _first_frame(model, content)
        start = model.generator.first_frame(content)[0]  # type: ignore[attr-defined]
        clips = model.generator.started(start).videos(noises, torch.zeros(1), "round")[:, 0]  # type: ignore[attr-defined]
        frames = clips.permute(0, 2, 3, 1).numpy()
        about = {"run": str(run), "seed": content, "noise_seeds": noises, "frames": [0] * len(noises)}
        # How far the frames at t = 0 are from each other, and from G(w0): both 0 where the initial frame is kept.
        spread, error = frames.std(0).mean(), np.abs(frames.astype(float) - initial).mean()
        about |= {"initial": True, "spread": round(float(spread), 3), "error": round(float(error), 3)}
        heads = ["G(w0)", *(f"noise {seed}" for seed in noises)]
        row = Row(drawing.method(run), np.concatenate([initial[None], frames]), heads, about)
        if not blocks or blocks[-1].title != drawing.title(run.dataset):
            blocks.append(Block(drawing.title(run.dataset), [row]))
        else:
            blocks[-1] = Block(blocks[-1].title, [*blocks[-1].rows, row])
    return draw_sheet(blocks, out, figure.columns)


def latents(drawing: Drawing, out: Path) -> list[dict[str, Any]]:
    """The latents of real frames, found by the inversion encoder, in the plane by t-SNE: a colour for each person."""
    figure, rows, panels = drawing.figure, [], {}
    for run in drawing.shown.runs:
        store, invert = drawing.store(run.dataset), _inverter(drawing, run)
        person = persons(run.dataset, drawing.setting)
        videos = stream(figure.seeds[0], "figures").permutation(len(store))[: figure.videos].tolist()
        found, labels = [], []
        for video in sorted(videos):
            frames = [int(f) for f in drawing.times(store.fps).tolist() if f < store.lengths[video]]
            found.append(invert(store.frames(video, frames)))
            labels += [person[store.names[video]]] * len(frames)
            about = {"run": str(run), "dataset": run.dataset, "video": store.names[video]}
            rows.append(about | {"person": person[store.names[video]], "frames": frames})
        w = np.concatenate(found)
        perplexity = min(30.0, (len(w) - 1) / 3)
        points = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(w)
        panels[drawing.title(run.dataset)] = points, labels
        grouped = _same_neighbour(w, labels)
        rows = [row | {"perplexity": perplexity, "same_person_neighbours": grouped} for row in rows]
    scatter_figure(panels, out)
    return rows


def _inverter(drawing: Drawing, run: Run) -> Callable[[np.ndarray], np.ndarray]:
    """Load an inversion: from frames uint8 [N, R, R, 3] to w, float32 [N, w_dim]."""
    inverter = load_encoder(run, drawing.setting.paths, device_of(drawing.setting.scale.device))

    def invert(frames: np.ndarray) -> np.ndarray:
        pixels = torch.from_numpy(frames).permute(0, 3, 1, 2)
        device = inverter.G.mapping.w_avg.device
        parts = [inverter.invert(to_float(part.to(device))).cpu() for part in pixels.split(CHUNK)]
        return torch.cat(parts).numpy()

    return invert


def _same_neighbour(w: np.ndarray, labels: Sequence[str]) -> float:
    """Share of latents whose nearest other one is of the same person."""
    away = np.square(w[:, None] - w[None]).sum(-1)
    np.fill_diagonal(away, np.inf)
    names = np.array(labels)
    return round(float((names[away.argmin(1)] == names).mean()), 4)


def persons(dataset: str, setting: Setting) -> dict[str, str]:
    """Say who is seen in each video of a store: as the source knows it, or else each raw video another person."""
    raw = {entry.name: entry.person or entry.name for entry in Manifest.read(setting.paths.raw(dataset)).videos}
    census = Census.read(setting.paths.census(dataset))
    return {kept.name: raw[kept.video or kept.name] for kept in census.kept}


def crops(drawing: Drawing, out: Path) -> list[dict[str, Any]]:
    """A raw video with the square that is cut out of each frame, and below the frames that come of it."""
    blocks = []
    for dataset in drawing.shown.datasets:
        settings, paths = drawing.setting.dataset(dataset), drawing.setting.paths
        manifest = Manifest.read(paths.raw(dataset))
        store = drawing.store(dataset)
        video, frames = real_video(store, drawing.figure.seeds[0], drawing.times(store.fps).tolist())
        kept = next(one for one in Census.read(paths.census(dataset)).kept if one.name == store.names[video])
        source = next(one for one in manifest.videos if one.name == (kept.video or kept.name))
        plan = plan_crop(manifest.model_copy(update={"videos": (source,)}), paths.raw_videos(dataset), settings)
        aligner = None
        if isinstance(settings.crop, Alignment):
            aligner = make_aligner(settings.crop, settings.resolution, drawing.setting, device_of("cpu"))
        where = outlines(plan, aligner)
        numbers = [first + i for first, length in kept.runs for i in range(length)]
        wanted = [numbers[frame] for frame in frames]
        reader = FrameReader(plan.raw, plan.videos, plan.as_stored)
        raw = {n: frame for n, frame in enumerate(source_frames(reader, source, settings.fps)) if n in wanted}
        points = read_exact(plan.raw / source.landmarks) if source.landmarks else None
        drawn = [_outlined(raw[n], where[n], None if points is None else points[n].reshape(-1, 2)) for n in wanted]
        side = drawn[0].shape[0]
        cut = store.frames(video, frames)
        large = [Image.fromarray(one).resize((side, side), Image.Resampling.NEAREST) for one in cut]
        stored = np.stack([np.asarray(one) for one in large])
        about = {"dataset": dataset, "video": store.names[video], "crop": settings.crop.type}
        corners = [where[n].round(2).tolist() for n in wanted]
        rows = [
            drawing.film("as recorded", np.stack(drawn), frames, about | {"corners": corners}, store.fps),
            drawing.film(f"cropped ({settings.crop.type})", stored, frames, about, store.fps),
        ]
        blocks.append(Block(f"{drawing.title(dataset)}: {settings.crop.type} crop", rows))
    return draw_sheet(blocks, out, drawing.figure.columns)


# Side of a raw frame on the sheet: the longer side is brought to it, the rest stays white.
RAW = 256


def _outlined(frame: np.ndarray, square: np.ndarray, points: np.ndarray | None) -> np.ndarray:
    """Draw the outline of the crop, and the landmarks where they are known, on a raw frame: uint8 [RAW, RAW, 3]."""
    scale = RAW / max(frame.shape[:2])
    size = round(frame.shape[1] * scale), round(frame.shape[0] * scale)
    page = Image.new("RGB", (RAW, RAW), "white")
    page.paste(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS))
    draw = ImageDraw.Draw(page)
    draw.polygon([(x, y) for x, y in square * scale], outline="#d62828", width=2)
    for x, y in [] if points is None else points * scale:
        draw.rectangle((x - 1, y - 1, x, y), fill="#00b4d8")
    return np.asarray(page)


def _clock(seconds: float) -> str:
    """Write `0.25 s` within the first minute, `1:05:00` after it."""
    if seconds < 60:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


Kind = Callable[[Drawing, Path], list[dict[str, Any]]]
KINDS: dict[str, Kind] = {
    "samples": samples,
    "styles": styles,
    "initial_frame": initial_frame,
    "first_frames": first_frames,
    "latents": latents,
    "crops": crops,
}
