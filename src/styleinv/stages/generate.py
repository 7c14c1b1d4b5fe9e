"""generate: videos of any length and frame rate from a trained run (supplement A)."""

from pathlib import Path

import torch

from styleinv import methods
from styleinv.data.video import write_video
from styleinv.errors import UserError
from styleinv.files import check_unchanged
from styleinv.generator import VideoGenerator
from styleinv.runs import Run
from styleinv.stages.evaluate import load_generator
from styleinv.stages.setting import Setting
from styleinv.training.distribution import device_of

# Frames generated at once, so that an hour of video needs constant memory.
CHUNK = 128


def styled(generator: VideoGenerator, style: Run, setting: Setting) -> VideoGenerator:
    """Decode the unchanged latents by a fine-tuned image generator (paper section 3.5).

    Raises:
        UserError: if one of the two does no such thing, or they do not belong together.
    """
    module, model = methods.get(style.method), setting.paths.model(style)
    if not hasattr(module, "load_decoder") or not hasattr(generator, "styled"):
        raise UserError("do not go together", field="run and --style", cure="Give a styleinv run and a style transfer.")
    check_unchanged(model)
    try:
        return generator.styled(module.load_decoder(model, device_of(setting.scale.device)))
    except ValueError as error:
        raise UserError(str(error), file=model, cure="Tune the image generator that the run builds on.") from None


def generate(
    run: Run, setting: Setting, out: Path, seeds: list[int], seconds: float, slowmo: float, style: Run | None = None
) -> None:
    """Write `<seed>.mp4` per seed; `slowmo` multiplies the frame rate by sampling time more densely.

    With a `style`, every frame shows the run's own video on the left and the styled one on the right.
    """
    if seconds <= 0 or slowmo <= 0:
        raise UserError("must be positive", field="--seconds and --slowmo", cure="Give positive numbers.")
    generator = load_generator(run, setting)
    columns = [generator] + ([styled(generator, style, setting)] if style else [])
    times = torch.arange(max(1, round(seconds * generator.fps * slowmo))) / slowmo
    for seed in seeds:
        frames = (
            frame.permute(1, 2, 0).numpy()
            for part in times.split(CHUNK)
            for frame in torch.cat([column.videos([seed], part, "round")[0] for column in columns], dim=3)
        )
        write_video(out / f"{seed:06d}.mp4", frames, generator.fps * slowmo)
