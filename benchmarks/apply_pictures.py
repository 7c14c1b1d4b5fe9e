"""Draw what the commands of docs/apply.md make of the demo's run: docs/apply-*.png.

make demo && python benchmarks/apply_pictures.py
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

import styleinv
from styleinv.stages.model import Model
from styleinv.stages.showing import enlarged

ROOT = Path(__file__).parent.parent
RUN, SIDE = "talking_faces/styleinv", 80


def strip(name: str, rows: Sequence[Sequence[np.ndarray]]) -> None:
    """Write rows of frames uint8 [R, R, 3] under each other, as they are, only enlarged."""
    picture = np.concatenate([np.concatenate([enlarged(frame, SIDE) for frame in row], 1) for row in rows])
    Image.fromarray(picture).save(ROOT / f"docs/apply-{name}.png", optimize=True)


def draw(model: Model) -> None:
    """Draw all pictures."""
    strip("generate", [model.generate(seed=seed, frames=128)[::16] for seed in range(3)])
    # Three frames of the training's rate, and what is sampled between them.
    strip("interpolate", [model.generate(seed=0, frames=9, fps=4 * model.fps, start=1.0)])
    edited = [model.edit(model.component(0), strength).generate(seed=1, frames=128)[::16] for strength in (-2, 0, 2)]
    strip("edit", edited)
    psi = []
    for value in (1.0, 0.5):
        model.truncate(value)
        psi.append([model.generate(seed=seed, frames=1)[0] for seed in range(8)])
    strip("psi", psi)


if __name__ == "__main__":
    draw(styleinv.load(RUN, ROOT / "results", device="cpu"))
