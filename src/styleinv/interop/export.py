"""Image generators of this project in the layouts of other code bases.

Only `rosinality` exists. A pickle in StyleGAN2-ADA's own format would have to embed the source text that its loader
executes; that text is not ours to write, and without it no official tool could read the file.
"""

from pathlib import Path

import torch

from styleinv.errors import UserError
from styleinv.files import atomic
from styleinv.interop.rosinality import to_rosinality
from styleinv.methods.stylegan2.method import load_generator_of
from styleinv.training.checkpoint import read_model

LAYOUTS = ("rosinality",)


def export_generator(model_file: Path, out: Path, layout: str = "rosinality") -> Path:
    """Write the image generator inside a model, averaged where there is one, in another layout.

    `rosinality` is a `torch.save` file `{"g_ema": state dict, "latent_avg": [w_dim]}`. Its readers build their network
    from a channel multiplier: channels 512 at 64x64 are 2 (StyleGAN2-ADA's `channel_base` 32768), 256 are 1 (16384).

    Args:
        model_file: a `model.safetensors` of this project.
        out: the file to write, usually `.pt`.
        layout: one of `LAYOUTS`.

    Raises:
        UserError: for an unknown layout or a file without an image generator.
    """
    if layout not in LAYOUTS:
        raise UserError(f"unknown layout {layout!r}", cure=f"Known: {', '.join(LAYOUTS)}.")
    description, tensors = read_model(model_file)
    name = next((n for n in ("G_ema", "G") if any(key.startswith(f"{n}.") for key in tensors)), None)
    if name is None or "image_generator" not in description:
        raise UserError(
            "holds no image generator",
            file=model_file,
            cure="Give a model of stylegan2, or of a method that builds on it.",
        )
    G, _ = load_generator_of(model_file, torch.device("cpu"), name)
    with atomic(out) as temporary:
        torch.save(to_rosinality(G), temporary)
    return out
