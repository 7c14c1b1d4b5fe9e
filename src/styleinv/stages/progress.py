"""progress: the scores of a run along its training, one row per kept model."""

from pathlib import Path
from typing import Any

import pandas as pd

from styleinv.data.store import FrameStore
from styleinv.errors import UserError
from styleinv.evaluation.detectors import load_detectors
from styleinv.evaluation.diagnostics import WATCHED, watch_generator
from styleinv.evaluation.protocol import Protocol
from styleinv.evaluation.score import score
from styleinv.files import Hashes, atomic
from styleinv.generator import VideoGenerator
from styleinv.provenance import Recorder
from styleinv.runs import Run
from styleinv.schema import fingerprint
from styleinv.stages.evaluate import load_scored, makes_stills
from styleinv.stages.setting import Setting
from styleinv.training.checkpoint import read_model
from styleinv.training.distribution import device_of
from styleinv.training.snapshots import model_snapshots


def progress(run: Run, setting: Setting) -> None:
    """Score every kept model of a run, and its last, by the scale's protocol; write progress.csv.

    Its columns: `step`, `kimg`, the metrics and their `_std`, the diagnostics of `evaluation.diagnostics`, and the
    protocol's id.

    Raises:
        UserError: if the training kept no models.
    """
    paths, config = setting.paths, setting.scale.evaluation
    models = model_snapshots(paths.run(run))
    if not models:
        raise UserError(
            "holds no models along the training",
            file=paths.snapshots(run),
            cure="Set `snapshots` in the scale's YAML and train again.",
        )
    hashes = Hashes(paths.hashes)
    store = FrameStore(paths.frames(run.dataset), hashes)
    device = device_of(setting.scale.device)
    detectors = load_detectors(config.detectors, device)
    recorder = Recorder("progress", str(run), fingerprint(config), [store.path, paths.model(run)], hashes)
    rows, stills = [], makes_stills(run)
    for model in (*models, paths.model(run)):
        generator = load_scored(run, model, setting)
        scores = score(
            store,
            generator,
            config.changed().of_stills() if stills else config.changed(),
            detectors,
            cache=paths.features,
            dataset=run.dataset,
            batch=config.batch,
        )
        kept = {name: value for name, value in scores.items() if isinstance(value, float) and name != "seconds"}
        motion = {} if stills else watch(generator, config)
        rows.append(_when(model, run, setting) | kept | motion | _protocol(scores))
    with atomic(paths.progress(run)) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.6g")
    recorder.write(paths.provenance(paths.run(run), "progress"), [paths.progress(run)], str(device))


def watch(generator: VideoGenerator, protocol: Protocol) -> dict[str, float]:
    """Average the diagnostics of some videos, as far as they are defined."""
    seeds = range(protocol.generation_seed, protocol.generation_seed + WATCHED)
    means = watch_generator(generator, seeds, protocol.clip_length).mean(numeric_only=True).dropna()
    return {str(name): float(value) for name, value in means.items()}


def _when(model: Path, run: Run, setting: Setting) -> dict[str, Any]:
    description, _ = read_model(model)
    if "step" in description:
        return {"step": description["step"], "kimg": description["kimg"]}
    last = pd.read_csv(setting.paths.curves(run)).iloc[-1]
    return {"step": int(last["step"]), "kimg": float(last["kimg"])}


def _protocol(scores: dict[str, Any]) -> dict[str, Any]:
    return {"protocol": scores["protocol_id"], "stand_in": scores["stand_in"]}
