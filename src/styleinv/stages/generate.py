"""generate: videos of any length and frame rate from a trained run (supplement A)."""

from pathlib import Path

import torch

from styleinv.config import Run
from styleinv.data.video import write_video
from styleinv.errors import UserError
from styleinv.stages.evaluate import load_generator
from styleinv.stages.setting import Setting

# Frames generated at once, so that an hour of video needs constant memory.
CHUNK = 128


def parse_seeds(text: str) -> list[int]:
    """`0-7` or `3,5` -> seeds.

    Raises:
        UserError: for anything else.
    """
    try:
        parts = [part.split("-") for part in text.split(",")]
        return [seed for part in parts for seed in range(int(part[0]), int(part[-1]) + 1)]
    except ValueError:
        raise UserError(f"{text!r} is no list of seeds", field="--seeds", cure="Write 0-7 or 3,5.") from None


def generate(run: Run, setting: Setting, out: Path, seeds: list[int], seconds: float, slowmo: float) -> None:
    """Write `<seed>.mp4` per seed; `slowmo` multiplies the frame rate by sampling time more densely."""
    if seconds <= 0 or slowmo <= 0:
        raise UserError("must be positive", field="--seconds and --slowmo", cure="Give positive numbers.")
    generator = load_generator(run, setting)
    times = torch.arange(max(1, round(seconds * generator.fps * slowmo))) / slowmo
    for seed in seeds:
        frames = (
            frame.permute(1, 2, 0).numpy()
            for part in times.split(CHUNK)
            for frame in generator.videos([seed], part, "round")[0]
        )
        write_video(out / f"{seed:06d}.mp4", frames, generator.fps * slowmo)
