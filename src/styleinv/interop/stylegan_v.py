"""StyleGAN-V's official snapshots as models of this project."""

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from styleinv.interop.fit import fit
from styleinv.interop.machine import Refused
from styleinv.interop.module_records import Record, find_option
from styleinv.interop.networks import axis, bounded, clamp_of, video_discriminator_options, widths_of
from styleinv.methods.stylegan_v.generate import build_generator
from styleinv.nn.video_discriminator import VideoDiscriminator

CONV1 = re.compile(r"synthesis\.b(\d{1,5})\.conv1\.weight", re.ASCII)
FPS = 25.0


def rename(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename official tensors: the motion encoder is beside the synthesis, the constant where StyleGAN2 has it."""
    renamed = {}
    for name, value in tensors.items():
        if name == "synthesis.b4.input.input.const":
            name, value = "synthesis.b4.const", value[0] if value.ndim == 4 else value
        renamed[name.removeprefix("synthesis.") if name.startswith("synthesis.motion_encoder.") else name] = value
    return renamed


def make(
    path: Path, records: dict[str, Record], tensors: dict[str, dict[str, Tensor]]
) -> tuple[dict[str, Any], dict[str, nn.Module]]:
    """Make description and networks; sizes are read from the shapes of tensors, distances from the options.

    Raises:
        Refused: for networks that ours cannot be.
        UserError: listing tensors that do not fit.
    """
    frames = 1024
    modules: dict[str, nn.Module] = {}
    sizes: dict[str, Any] = {}
    if "D" in records:
        sizes = video_discriminator_options(records["D"], tensors["D"])
        frames = sizes["max_num_frames"]
        with torch.device("meta"):
            modules["D"] = VideoDiscriminator(**sizes)
        fit(modules["D"], tensors["D"], path, "D")
    options, resolution = generator_options(records["G_ema"], tensors["G_ema"], frames)
    for name in ("G_ema", "G"):
        if name in records:
            with torch.device("meta"):
                modules[name] = build_generator(options, resolution)
            fit(modules[name], rename(tensors[name]), path, name)
    description = {"method": "stylegan_v", "generator": options, "resolution": resolution, "fps": FPS}
    return description | ({"discriminator": sizes} if sizes else {}), modules


def generator_options(G: Record, tensors: dict[str, Tensor], frames: int) -> tuple[dict[str, Any], int]:
    """Read the options of our generator, and its resolution."""
    widths = {int(m[1]): t.shape[0] for key, t in tensors.items() if (m := CONV1.fullmatch(key))}
    resolution = max(widths, default=0)
    if resolution < 8 or set(widths) != {2**i for i in range(2, resolution.bit_length())}:
        raise Refused("holds a generator that is not StyleGAN-V's")
    base, most = widths_of(widths)
    sizes = {
        "z_dim": axis(tensors, "mapping.fc0.weight", 1),
        "w_dim": axis(tensors, "mapping.w_avg", 0),
        "mapping_layers": sum(re.fullmatch(r"mapping\.fc\d+\.weight", key) is not None for key in tensors),
    }
    widths_found = {"channel_base": base, "channel_max": most}
    bounded(sizes | widths_found)
    prefix = "synthesis.motion_encoder."
    freqs = tensors.get(f"{prefix}time_encoder.freqs")
    distance = find_option(G, "motion_z_distance")
    if freqs is None or freqs.numel() < 2:
        raise Refused("holds a generator without StyleGAN-V's motion encoder")
    longest, shortest = (2 * torch.pi / float(freqs.flatten()[i]) for i in (0, -1))
    if isinstance(distance, str) and distance.endswith("time_enc.min_period_len}"):
        distance = round(shortest)  # the released configuration ties the two
    if type(distance) is not int or distance < 1:
        raise Refused("does not say how far apart its motion noise is")
    motion = {
        "z_dim": axis(tensors, f"{prefix}conv.0.weight", 1),
        "v_dim": axis(tensors, f"{prefix}conv.1.weight", 0),
        "kernel_size": axis(tensors, f"{prefix}conv.0.weight", 2),
        "motion_z_distance": distance,
        "max_num_frames": frames,
        "time_dim": freqs.numel(),
        "min_period_len": round(shortest, 3),
        "max_period_len": round(longest, 3),
    }
    return sizes | {"motion": motion, "synthesis": widths_found | {"conv_clamp": clamp_of(G)}}, resolution
