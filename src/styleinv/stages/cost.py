"""cost: what the trainings of some runs take, measured before any of them runs."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from styleinv.config import lineage, method_title
from styleinv.data.store import FrameStore, write_store
from styleinv.paths import Paths
from styleinv.report.cost_table import Stage, write_cost
from styleinv.runs import Run
from styleinv.stages.prepare import prepare_all
from styleinv.stages.setting import Setting
from styleinv.stages.train import build
from styleinv.training.checkpoint import save_model
from styleinv.training.distribution import World
from styleinv.training.measure import Cost, Sizes, count, measure
from styleinv.training.method import Method

log = logging.getLogger(__name__)

# Placeholder videos: enough to sample from, long enough for every method.
VIDEOS, FRAMES = 16, 256


def cost(runs: list[Run], setting: Setting, size: int | None = None, table: str = "cost") -> Path:
    """Measure the trainings that each run needs and write results/tables/<table>.csv, .md and .tex.

    No artefact is needed: where a data set is not there at this size, frames of noise stand in for it, and untrained
    networks of the right shape for the models a method builds on. Costs depend on neither.

    Returns:
        The table for people.
    """
    world = World(setting.scale.device)
    measured: dict[Run, Cost] = {}
    chains: dict[str, list[Stage]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        trial = Setting(setting.config, Paths(Path(temporary)))
        if setting.paths.weights.exists():
            trial.paths.weights.symlink_to(setting.paths.weights.absolute())
        for run in runs:
            chain = lineage(run, setting.config.parent)
            for part in chain:
                if part not in measured:
                    measured[part] = measure(untrained(part, setting, trial, world), world.device, size)
                    log.info(
                        "%s: %.3g s per kimg, %.3g GB per video",
                        *(part, measured[part].seconds_per_kimg, measured[part].bytes_per_video / 1e9),
                    )
            chains[str(run)] = [Stage(str(part), measured[part]) for part in chain]
    out = setting.paths.table(table)
    name = torch.cuda.get_device_name() if world.device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    published = setting.config.parent / "published.csv"
    titles = {str(run): method_title(run, setting.config.parent) for run in runs}
    scale, on_gpu = setting.config.stem, world.device.type == "cuda"
    write_cost(chains, titles, scale, name, on_gpu, published, out, out.with_suffix(".md"))
    return out.with_suffix(".md")


def cost_text(runs: list[Run], setting: Setting, size: int | None = None, table: str = "cost") -> str:
    """Measure as `cost` does and return the table for people."""
    return cost(runs, setting, size, table).read_text()


def without_data(run: Run, setting: Setting) -> Iterator[tuple[Run, Sizes]]:
    """Count what the trainings that a run needs hold, at any scale in seconds and without a GPU.

    Yields:
        Each training, the run's own last.
    """
    world, nowhere = World("cpu"), World("cpu")
    nowhere.device = torch.device("meta")
    with tempfile.TemporaryDirectory() as temporary:
        trial = Setting(setting.config, Paths(Path(temporary)))
        for part in lineage(run, setting.config.parent):
            untrained(part, setting, trial, world)
            yield part, count(build(part, trial, nowhere), nowhere.device)


def untrained(run: Run, setting: Setting, trial: Setting, world: World) -> Method:
    """Build a run's method on what it needs, and write its model untrained, so that others can build on it.

    Args:
        run: after what it builds on.
        setting: whose data set is taken where it is there; frames of noise stand in for it where it is not.
        trial: where all else lies.
        world: whose device the networks live on.
    """
    _frames(run, setting, trial)
    prepare_all(run, trial, trial=True)
    method = build(run, trial, world)
    save_model(trial.paths.model(run), method.parts.modules, method.description())
    return method


def _frames(run: Run, setting: Setting, trial: Setting) -> None:
    frames, dataset = trial.paths.frames(run.dataset), setting.dataset(run.dataset)
    if frames.exists():
        return
    frames.parent.mkdir(parents=True, exist_ok=True)
    there = setting.paths.frames(run.dataset)
    # Those of another scale are of another size.
    if there.exists() and FrameStore(there).resolution == dataset.resolution:
        frames.symlink_to(there.absolute())
        return
    videos = ((f"{i:04d}", _noise(dataset.resolution, i)) for i in range(VIDEOS))
    write_store(frames, videos, {"fps": dataset.fps or 25.0}, dataset.codec)


def _noise(resolution: int, seed: int) -> Iterator[np.ndarray]:
    still = np.random.default_rng(seed).integers(0, 256, (resolution, resolution, 3), dtype=np.uint8)
    for _ in range(FRAMES):
        yield still
