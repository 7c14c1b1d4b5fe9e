"""evaluate: FID and FVD of a trained run, with their protocol record."""

import json
import math
from pathlib import Path
from typing import Any

import torch

from styleinv import methods
from styleinv.data.store import FrameStore
from styleinv.data.video_folder import VideoFolder
from styleinv.errors import UserError
from styleinv.evaluation.detectors import load_detectors
from styleinv.evaluation.diagnostics import diagnose
from styleinv.evaluation.protocol import Name
from styleinv.evaluation.score import score
from styleinv.files import sha256, write_json
from styleinv.generator import VideoGenerator
from styleinv.provenance import Recorder
from styleinv.runs import Run
from styleinv.schema import fingerprint
from styleinv.stages.setting import Setting
from styleinv.training.distribution import device_of


def makes_stills(run: Run) -> bool:
    """Tell whether a run makes images only, which FID alone can score."""
    return hasattr(methods.get(run.method), "load_image_generator")


def load_scored(run: Run, model: Path, setting: Setting) -> VideoGenerator:
    """Load what is scored of a run's model: videos, or stills of an image generator."""
    if makes_stills(run):
        return methods.get(run.method).load_image_generator(model, device_of(setting.scale.device))
    return load_generator_of(run, model, setting)


def load_generator(run: Run, setting: Setting) -> VideoGenerator:
    """Load the `VideoGenerator` of a trained run; see `load_generator_of`."""
    return load_generator_of(run, setting.paths.model(run), setting)


def load_generator_of(run: Run, model: Path, setting: Setting) -> VideoGenerator:
    """Load the `VideoGenerator` of one model of a run.

    Raises:
        UserError: for methods that make no videos, and missing or foreign models.
    """
    module = methods.get(run.method)
    if not hasattr(module, "load_generator"):
        raise UserError(f"{run.method} makes no videos", cure="Evaluate a video method, such as styleinv.")
    return module.load_generator(model, device_of(setting.scale.device))


def evaluate(run: Run, setting: Setting, keep: Path | None = None) -> None:
    """Score a run by the scale's protocol, and by the others for the report, and write metrics.json."""
    paths, scale = setting.paths, setting.scale
    config, model = scale.evaluation, paths.model(run)
    generator, stills = load_scored(run, model, setting), makes_stills(run)
    store = FrameStore(paths.frames(run.dataset))
    recorder = Recorder("evaluate", str(run), fingerprint(config), [store.path, model])
    device = device_of(scale.device)
    detectors = load_detectors(config.detectors, device)
    options: dict[str, Any] = {
        "cache": paths.features,
        "fake_id": sha256(model),
        "dataset": run.dataset,
        "batch": config.batch,
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
    if not stills:
        times = torch.arange(min(config.clip_length, 128))
        motion = diagnose(generator.videos(range(min(config.n_fake, 8)), times, "round"))
        scores["diagnostics"] = {name: value if math.isfinite(value) else None for name, value in motion.items()}
    write_json(paths.metrics(run), scores)
    recorder.write(paths.run(run) / "evaluate.provenance.json", [paths.metrics(run)], str(device))


def evaluate_folders(real: Path, fake: Path, setting: Setting, detectors: str, protocol: Name) -> dict[str, Any]:
    """Score one folder (or frame store) of videos against another by the same protocol."""
    config = setting.scale.evaluation
    loaded = load_detectors(detectors, device_of(setting.scale.device))
    options: dict[str, Any] = {"cache": setting.paths.features, "dataset": real.name, "batch": config.batch}
    return score(_videos(real), _videos(fake), config.stored_as(protocol), loaded, **options)


def evaluate_any(
    run: Run | None,
    real: Path | None,
    fake: Path | None,
    detectors: str,
    protocol: Name,
    out: Path | None,
    keep: Path | None,
    setting: Setting,
) -> str | None:
    """Score a run, or one folder against another and return the scores as JSON.

    Raises:
        UserError: neither is named, or what the two raise.
    """
    if run:
        evaluate(run, setting, keep)
        return None
    if real is None or fake is None:
        raise UserError("nothing to evaluate", cure="Name a run, or give --real DIR and --fake DIR.")
    scores = evaluate_folders(real, fake, setting, detectors, protocol)
    if out:
        write_json(out, scores)
    return json.dumps(scores, indent=2)


def _videos(path: Path) -> FrameStore | VideoFolder:
    return FrameStore(path) if path.suffix == ".zip" else VideoFolder(path)
