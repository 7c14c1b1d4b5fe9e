"""generate, interpolate, stylize: videos of a trained run, at any length and rate (supplement A), in any style."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from styleinv.errors import UserError
from styleinv.generator import Format
from styleinv.runs import Run
from styleinv.stages.model import Model
from styleinv.stages.pack import load_model
from styleinv.stages.setting import Setting
from styleinv.stages.showing import grid, side_by_side, write_film


def generate(
    run: Run | Path,
    setting: Setting,
    out: Path,
    seeds: list[int],
    seconds: float | None = None,
    frames: int | None = None,
    fps: float | None = None,
    start: float = 0.0,
    speed: float = 1.0,
    format: Format = "mp4",
    together: bool = False,
    psi: float = 1.0,
    mark: bool = False,
) -> Iterator[str]:
    """Write `<seed>.<format>` per seed, or all seeds in one `grid.<format>`; yields the name of each when it is there.

    Args:
        run, setting: the trained run.
        out: the folder for the videos.
        seeds: each gives the same video whatever else is generated with it.
        seconds, frames, fps, start, speed: as for `Model.times`.
        format: png is a folder of frames for each video.
        together: all seeds in a grid.
        psi: truncation.
        mark: add a visible line that says that they are synthetic.
    """
    model = load_model(run, setting, psi)
    times = model.times(frames, seconds, fps, start, speed)
    films = {f"{seed:06d}": model.stream(seed, times) for seed in seeds}
    if together:
        films = {"grid": grid(list(films.values()))}
    for name, film in films.items():
        yield _write(out / name, film, fps or model.fps, model, format, mark)


def interpolate(
    run: Run | Path, setting: Setting, out: Path, seeds: list[int], fps: float, seconds: float | None = None
) -> Iterator[str]:
    """Write `<seed>.mp4` per seed at another frame rate: times between the training's frames are sampled, not blended.

    Raises:
        UserError: a rate that is none, or a method that knows whole frames alone.
    """
    yield from generate(run, setting, out, seeds, seconds, fps=fps)


def stylize(
    run: Run | Path,
    style: Run,
    setting: Setting,
    out: Path,
    seeds: list[int],
    seconds: float | None = None,
    mark: bool = False,
) -> Iterator[str]:
    """Write `<seed>.mp4` per seed: the run's own video on the left, the same latents in another style on the right."""
    model = load_model(run, setting)
    pair, times = (model, model.stylize(style, setting.paths)), model.times(seconds=seconds)
    for seed in seeds:
        film = side_by_side([one.stream(seed, times) for one in pair])
        yield _write(out / f"{seed:06d}", film, model.fps, model, "mp4", mark)


def _write(path: Path, film: Iterable[np.ndarray], fps: float, model: Model, format: Format, mark: bool) -> str:
    path = path if format == "png" else path.with_suffix(f".{format}")
    if format == "png" and path.is_dir() and any(path.iterdir()):
        raise UserError("holds something already", file=path, cure="Give another --out.")
    return str(write_film(path, film, fps, model.note, mark))
