"""What the page of `styleinv web` makes: one video at a time, shown while it grows; it knows no page."""

import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
import torch

from styleinv import methods
from styleinv.data.video import write_video
from styleinv.errors import UserError
from styleinv.runs import Run, parse_run
from styleinv.stages.animate import aligned_photo
from styleinv.stages.model import Model, trained
from styleinv.stages.pack import load_model
from styleinv.stages.setting import Setting
from styleinv.stages.showing import enlarged, marked, side_by_side

# What a page may ask for: one visitor must not keep the machine for hours.
LONGEST, MOST_FRAMES, MOST_STEPS = 60.0, 3600, 1000
# Frames between two looks whether there is something new to show, and seconds between two things that are shown.
LOOK, PAUSE = 32, 1.0
# Small pictures are enlarged to at least so many pixels: a browser would blur them.
LARGE = 384


@dataclass(frozen=True)
class Wish:
    """What a visitor asks for.

    Attributes:
        seed: of the video; of its motion alone where it begins with a photo.
        seconds, fps: of the video; fps None is the training's.
        speed: how fast things move: 2 shows twice as much time.
        psi: truncation.
        style: a style_transfer run that draws the same latents beside, or None.
        photo: a picture that the video begins with, or None.
        aligned, face, refine: as for `animate`.
        beside: another run that makes a video of the same seed beside, or None.
        mark: add a visible line that says that it is synthetic.
    """

    seed: int = 0
    seconds: float = 4.0
    fps: float | None = None
    speed: float = 1.0
    psi: float = 1.0
    style: str | None = None
    photo: Path | None = None
    aligned: bool = False
    face: int | None = None
    refine: int = 0
    beside: str | None = None
    mark: bool = True


@dataclass(frozen=True)
class Shown:
    """A video as far as it is made.

    Attributes:
        video: the file; a new one each time.
        done, total: frames.
        said: what is to be read in the pictures, from left to right.
    """

    video: Path
    done: int
    total: int
    said: str


class Studio:
    """Makes the videos of a page; models stay loaded.

    Args:
        what: the run, or the folder of a packed one.
        setting: where other runs lie.
    """

    def __init__(self, what: Run | Path, setting: Setting):
        self.setting, self.model = setting, load_model(what, setting)
        self._another = functools.cache(self._load)

    @property
    def others(self) -> list[str]:
        """Trained runs of the data set that make videos, which may stand beside this one."""
        runs = (run for run in trained(self.setting.paths) if run.dataset == self.model.run.dataset)
        makes = (run for run in runs if hasattr(methods.get(run.method), "load_generator"))
        return [str(run) for run in makes if run != self.model.run]

    @property
    def styles(self) -> list[str]:
        """Fine-tuned image generators that draw this run's latents."""
        tuned = (run for run in trained(self.setting.paths) if hasattr(methods.get(run.method), "load_decoder"))
        return [str(run) for run in tuned if self._draws(run)]

    @property
    def takes_photos(self) -> bool:
        """Whether its videos can begin with a photo."""
        return hasattr(self.model.generator, "started")

    def make(self, wish: Wish, folder: Path) -> Iterator[Shown]:
        """Make a video; yields it whenever a part more can be shown, and at last as a whole.

        Args:
            wish: what is asked for.
            folder: for the files.

        Raises:
            UserError: what cannot be made.
        """
        films, said, times = self._films(wish)
        frames = side_by_side([(enlarged(frame, LARGE) for frame in film) for film in films])
        if wish.mark:
            frames = marked(frames)
        made: list[np.ndarray] = []
        shown, rate = time.monotonic(), wish.fps or self.model.fps
        for frame in frames:
            made.append(frame)
            whole = len(made) == len(times)
            if whole or (len(made) % LOOK == 0 and time.monotonic() - shown > PAUSE):
                name = f"{str(self.model.run).replace('/', '-')}-seed{wish.seed}{'' if whole else f'-{len(made)}'}.mp4"
                write_video(folder / name, made, rate, comment=self.model.note)
                yield Shown(folder / name, len(made), len(times), said)
                shown = time.monotonic()

    def _films(self, wish: Wish) -> tuple[list[Iterator[np.ndarray]], str, torch.Tensor]:
        """The films that stand beside each other, what they are, and their times [T]."""
        check(wish, self.model.fps)
        model = self.model
        model.truncate(wish.psi)
        times = model.times(seconds=wish.seconds, fps=wish.fps, speed=wish.speed)
        films: list[Iterator[np.ndarray]] = []
        said: list[str] = []
        if wish.photo:
            image = aligned_photo(
                *(wish.photo, model.resolution, self.setting, wish.aligned, None, wish.face, str(model.device))
            )
            found = model.invert(image, wish.refine)
            model = model.animate(found)
            films += [repeat(picture, len(times)) for picture in (image, found.image)]
            said += ["photo", f"its inversion (off by {found.error:.1f} of 255)"]
        films.append(model.stream(wish.seed, times, LOOK))
        said.append(str(model.run))
        if wish.style:
            films.append(model.stylize(wish.style, self.setting.paths).stream(wish.seed, times, LOOK))
            said.append(wish.style)
        if wish.beside:
            other = self._another(wish.beside)
            other.truncate(wish.psi)
            if (other.resolution, other.fps) != (model.resolution, model.fps):
                size = f"{other.resolution} pixels at {other.fps:g} frames a second"
                raise UserError(f"{wish.beside} makes {size}", field="beside", cure="Choose a run of the same size.")
            films.append(other.stream(wish.seed, times, LOOK))
            said.append(wish.beside)
        return films, ", ".join(said), times

    def _load(self, name: str) -> Model:
        return load_model(parse_run(name), self.setting)

    def _draws(self, style: Run) -> bool:
        try:
            self.model.stylize(style, self.setting.paths)
        except UserError:
            return False
        return True


def check(wish: Wish, fps: float) -> None:
    """Refuse what would keep the machine for hours.

    Raises:
        UserError: naming the limit.
    """
    for name, value, most in (
        ("length", wish.seconds, LONGEST),
        ("frames", wish.seconds * (wish.fps or fps), MOST_FRAMES),
        ("refine", wish.refine, MOST_STEPS),
    ):
        if not value <= most:
            cure = "`styleinv generate` and `long` make longer ones."
            raise UserError(f"must be at most {most:g} here, not {value:g}", field=name, cure=cure)
