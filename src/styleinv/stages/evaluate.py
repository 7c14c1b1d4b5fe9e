"""evaluate: FID and FVD of a trained run, with their protocol record."""

import datetime
import json
import logging
import math
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from styleinv import methods
from styleinv.data.store import FrameStore
from styleinv.data.video_folder import VideoFolder
from styleinv.errors import UserError
from styleinv.evaluation.detectors import load_detectors
from styleinv.evaluation.diagnostics import WATCHED, watch_generator, watch_store, watched_length
from styleinv.evaluation.protocol import EvaluationConfig, Name, Protocol
from styleinv.evaluation.score import score
from styleinv.evaluation.signatures import signatures
from styleinv.evaluation.stores import side
from styleinv.evaluation.what_if import changes
from styleinv.files import Hashes, atomic, check_unchanged, sha256, write_json, write_scores
from styleinv.generator import VideoGenerator
from styleinv.provenance import Recorder, code_commit
from styleinv.report.figures import intervals_figure, read_curves
from styleinv.runs import Run
from styleinv.schema import Layer, fingerprint, parse
from styleinv.stages.compare import STAND_IN
from styleinv.stages.model import load_generator_of
from styleinv.stages.setting import Setting
from styleinv.training.distribution import device_of

log = logging.getLogger(__name__)


def makes_stills(run: Run) -> bool:
    """Tell whether a run makes images only, which FID alone can score."""
    return hasattr(methods.get(run.method), "load_image_generator")


def load_scored(run: Run, model: Path, setting: Setting) -> VideoGenerator:
    """Load what is scored of a run's model: videos, or stills of an image generator."""
    if makes_stills(run):
        check_unchanged(model)
        return methods.get(run.method).load_image_generator(model, device_of(setting.scale.device))
    return load_generator_of(run, model, device_of(setting.scale.device))


def evaluate(run: Run, setting: Setting, keep: Path | None = None) -> list[str]:
    """Score a run by the scale's protocol, and by the others for the report; write its scores, records and diagnostics.

    Returns:
        Its failure signatures, a line each.
    """
    paths, scale = setting.paths, setting.scale
    config, model = scale.evaluation, paths.model(run)
    generator, stills = load_scored(run, model, setting), makes_stills(run)
    hashes = Hashes(paths.hashes)
    store = FrameStore(paths.frames(run.dataset), hashes)
    recorder = Recorder("evaluate", str(run), fingerprint(config), [store.path, model], hashes)
    device = device_of(scale.device)
    detectors = load_detectors(config.detectors, device)
    options: dict[str, Any] = {
        "cache": paths.features,
        "fake_id": sha256(model),
        "dataset": run.dataset,
        "name": str(run),
        "batch": config.batch,
        "replicates": config.bootstrap,
    }
    rules = config.changed().of_stills() if stills else config.changed()
    scores = score(store, generator, rules, detectors, keep=keep, **options)
    scores["also"] = {
        name: score(store, generator, rules.stored_as(name), detectors, **options)
        for name in config.also
        if name != config.protocol
    }
    # How long it took is in the provenance; equal scores must be equal files.
    for part in (scores, *scores["also"].values()):
        part.pop("seconds")
    watched = pd.DataFrame(columns=["side", "video"])
    if not stills:
        frames = watched_length(store, rules)
        seeds = range(rules.generation_seed, rules.generation_seed + min(rules.n_fake, WATCHED))
        sides = watch_store(store, "real", frames, "random"), watch_generator(generator, seeds, frames)
        watched = pd.concat(sides, ignore_index=True)
    curves = read_curves(paths.curves(run)) if paths.curves(run).exists() else None
    scores |= findings(watched, curves)
    with atomic(diagnostics := paths.diagnostics(run)) as temporary:
        watched.to_csv(temporary, index=False, float_format="%.6g")
    write_scores(paths.metrics(run), scores)
    outputs, record = (
        [paths.metrics(run), paths.protocol(run), diagnostics],
        paths.provenance(paths.run(run), "evaluate"),
    )
    recorder.write(record, outputs, str(device), seed=setting.seed(run), scale=setting.config.stem)
    return scores["signatures"]


def what_if(run: Run, setting: Setting) -> Iterator[str]:
    """Score a run by its scale's rules and with each of them changed, and write what_if.csv and what_if.png.

    Features of real videos, and of generated ones that are stored alike, come from the cache.

    Yields:
        A line for each other rule: how far each score moves, in per cent.
    """
    paths, config, model = setting.paths, setting.scale.evaluation, setting.paths.model(run)
    generator, hashes = load_scored(run, model, setting), Hashes(paths.hashes)
    store = FrameStore(paths.frames(run.dataset), hashes)
    recorder = Recorder("what_if", str(run), fingerprint(config), [store.path, model], hashes)
    device = device_of(setting.scale.device)
    detectors = load_detectors(config.detectors, device)
    options: dict[str, Any] = {"cache": paths.features, "fake_id": sha256(model), "dataset": run.dataset}
    options |= {"name": str(run), "batch": config.batch, "replicates": config.bootstrap}
    rules = config.changed().of_stills() if makes_stills(run) else config.changed()
    resized = generator.resolution != store.resolution
    rows: list[dict[str, Any]] = []
    usual: dict[str, float] = {}
    for change in changes(rules, int(store.lengths.min()), resized):
        scores = score(store, generator, change.rules, detectors, **options)
        moved = []
        for name, made in scores["protocol"]["metrics"].items():
            value = scores[name]
            usual.setdefault(name, value)
            percent = 100 * (value / usual[name] - 1) if usual[name] else None
            about = {"rule": change.rule, "value": change.value, "metric": name, "title": made["title"], "score": value}
            about |= {end: scores[f"{name}_{end}"] for end in ("std", "low", "high")}
            rows.append(about | {"moved_percent": percent, "protocol": scores["protocol_id"]})
            moved += [] if percent is None else [f"{made['title']} {percent:+.1f} %"]
        if change.rule:
            yield f"{change.rule} {change.value}: {', '.join(moved)}"
    table = pd.DataFrame(rows)
    with atomic(file := paths.what_if(run)) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    intervals_figure(table, picture := file.with_suffix(".png"))
    record = paths.provenance(paths.run(run), "what_if")
    recorder.write(record, [file, picture], str(device), seed=setting.seed(run), scale=setting.config.stem)
    if detectors.stand_in:
        yield STAND_IN
    yield str(picture)


def findings(watched: pd.DataFrame, curves: pd.DataFrame | None = None) -> dict[str, Any]:
    """Sum up diagnostics for metrics.json: means of both sides, None where there is none, and failure signatures."""
    means = {
        side: {str(name): None if math.isnan(value) else float(value) for name, value in rows.items()}
        for side in ("generated", "real")
        if len(rows := watched[watched["side"] == side].mean(numeric_only=True))
    }
    named = {f"diagnostics{'_real' * (side == 'real')}": numbers for side, numbers in means.items()}
    return named | {"signatures": signatures(watched, curves)}


def evaluate_folders(
    real: Path,
    fake: Path,
    setting: Setting,
    detectors: str = "official",
    protocol: Name = "styleinv",
    n: int | None = None,
    lengths: Sequence[int] | None = None,
    metrics: Sequence[str] | None = None,
    resize: str | None = None,
) -> dict[str, Any]:
    """Score one folder (or frame store) of videos against another, by the protocol's own counts and no scale's.

    Args:
        real, fake: the folders.
        setting: where weights lie; features are cached where there is a results folder.
        detectors: `official` or `stand-in`.
        protocol: a row of `STORAGE`.
        n: so many videos on each side instead of 2,048.
        lengths: frames of the clips of FVD instead of 16 and 128.
        metrics: families of `evaluation.metrics` instead of FID and FVD.
        resize: kernel that brings generated videos of another size to that of the real ones.
    """
    changes: dict[str, Any] = {} if n is None else {"n_fake": n, "real_clips": n}
    changes |= {} if lengths is None else {"fvd_lengths": tuple(lengths), "clip_length": max(128, *lengths)}
    changes |= {} if metrics is None else {"metrics": tuple(metrics)}
    changes |= {"protocol": protocol, "resize": resize}
    rules = parse(Protocol, Layer("--protocol, --n, --lengths, --metrics, --resize", changes))
    with side("real"):
        of_real = _videos(real)
    with side("generated"):
        of_fake = _videos(fake)
    sides = of_real, of_fake
    for name, videos in (("real", sides[0]), ("generated", sides[1])):
        if len(videos.names) < rules.n_fake:
            log.warning("%d %s videos; the protocol has %d", len(videos.names), name, rules.n_fake)
    cache = setting.paths.features if setting.paths.root.is_dir() else None
    networks = load_detectors(detectors, device_of("auto"))
    replicates = EvaluationConfig().bootstrap
    scores = score(*sides, rules, networks, cache=cache, dataset=real.name, name=fake.name, replicates=replicates)
    frames = watched_length(of_real, rules)
    with side("real"):
        watched = watch_store(of_real, "real", frames, "random")
    with side("generated"):
        watched = pd.concat([watched, watch_store(of_fake, "generated", frames)], ignore_index=True)
    scores |= findings(watched)
    commit, dirty = code_commit()
    made = {"date": datetime.date.today().isoformat(), "styleinv": version("styleinv")}
    return scores | {"scored": made | {"commit": commit, "dirty": dirty}}


def evaluate_any(
    run: Run | None,
    setting: Setting,
    real: Path | None = None,
    fake: Path | None = None,
    keep: Path | None = None,
    out: Path | None = None,
    other_rules: bool = False,
    **rules: Any,
) -> str | Iterator[str]:
    """Score a run and return its failure signatures, or one folder against another and return the scores as JSON.

    With `other_rules` a run is scored as `what_if` does.

    Raises:
        UserError: neither is named, options that would do nothing, or what the two raise.
    """
    given = {name: value for name, value in rules.items() if value is not None}
    if run:
        of_folders = {"real": real, "fake": fake, "out": out} | given
        if idle := [name for name, value in of_folders.items() if value is not None]:
            cure = "A run is scored by its scale (--config), into its metrics.json."
            raise UserError(f"is for folders, not for the run {run}", field=f"--{idle[0]}", cure=cure)
        if other_rules and keep is not None:
            raise UserError("keeps nothing of other rules", field="--what-if", cure="Leave --keep out.")
        if other_rules:
            return what_if(run, setting)
        found = evaluate(run, setting, keep)
        return "\n".join(found) or f"{run}: no failure signature"
    if real is None or fake is None:
        raise UserError("nothing to evaluate", cure="Name a run, or give --real DIR and --fake DIR.")
    if other_rules:
        raise UserError("is for runs", field="--what-if", cure="Name one.")
    if keep is not None:
        raise UserError("is for runs; the videos of a folder lie in it already", field="--keep", cure="Leave it out.")
    scores = evaluate_folders(real, fake, setting, **given)
    if out:
        write_json(out, scores)
    return json.dumps(scores, indent=2)


def _videos(path: Path) -> FrameStore | VideoFolder:
    return FrameStore(path) if path.suffix == ".zip" else VideoFolder(path)
