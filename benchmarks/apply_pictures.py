"""Draw what the commands of docs/apply.md make of runs of the demo's scale: docs/apply-*.png.

make demo && python benchmarks/apply_pictures.py
snakemake figure8 --cores all && python benchmarks/apply_pictures.py stylize
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

import styleinv
from styleinv.stages.model import Model
from styleinv.stages.showing import enlarged

ROOT = Path(__file__).parent.parent
RUN, STYLE, SIDE = "talking_faces/styleinv", "drawings/style_transfer", 80


def strip(name: str, rows: Sequence[Sequence[np.ndarray]]) -> None:
    """Write rows of frames uint8 [R, R, 3] under each other, as they are, only enlarged."""
    picture = np.concatenate([np.concatenate([enlarged(frame, SIDE) for frame in row], 1) for row in rows])
    Image.fromarray(picture).save(ROOT / f"docs/apply-{name}.png", optimize=True)


def generate(model: Model) -> None:
    """Three videos, every 16th frame."""
    strip("generate", [model.generate(seed=seed, frames=128)[::16] for seed in range(3)])


def interpolate(model: Model) -> None:
    """Three frames of the training's rate, and what is sampled between them."""
    strip("interpolate", [model.generate(seed=0, frames=9, fps=4 * model.fps, start=1.0)])


def edit(model: Model) -> None:
    """A video against the first principal component, as it is, and along it."""
    edited = [model.edit(model.component(0), strength).generate(seed=1, frames=128)[::16] for strength in (-2, 0, 2)]
    strip("edit", edited)


def psi(model: Model) -> None:
    """First frames as they are, and truncated."""
    rows = []
    for value in (1.0, 0.5):
        model.truncate(value)
        rows.append([model.generate(seed=seed, frames=1)[0] for seed in range(8)])
    strip("psi", rows)


def stylize(model: Model) -> None:
    """Two videos, each above what the tuned decoder makes of the same latents."""
    styled = model.stylize(STYLE)
    strip("stylize", [each.generate(seed=seed, frames=128)[::16] for seed in (1, 11) for each in (model, styled)])


# Each picture's run.
PICTURES: dict[str, tuple[Callable[[Model], None], str]] = {
    "generate": (generate, RUN),
    "interpolate": (interpolate, RUN),
    "edit": (edit, RUN),
    "psi": (psi, RUN),
    "stylize": (stylize, "talking_faces_ffhq/styleinv"),
}


def main() -> None:
    """Draw the pictures that are asked for, without words those of `make demo`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", help=f"of {', '.join(PICTURES)} (default: those of make demo)")
    demo = [name for name, (_, run) in PICTURES.items() if run == RUN]
    names = parser.parse_args().pictures or demo
    if unknown := [name for name in names if name not in PICTURES]:
        parser.error(f"no such picture: {', '.join(unknown)}; there are {', '.join(PICTURES)}")
    for name in names:
        draw, run = PICTURES[name]
        draw(styleinv.load(run, ROOT / "results", device="cpu"))


if __name__ == "__main__":
    main()
