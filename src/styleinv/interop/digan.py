"""DIGAN's official snapshots as models of this project."""

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from styleinv.interop.fit import fit
from styleinv.interop.machine import Refused
from styleinv.interop.module_records import Record
from styleinv.interop.networks import axis, bounded, checked_clamp, widths_of, without_filters
from styleinv.methods.digan.discriminator import PairDiscriminator
from styleinv.methods.digan.generate import NetworkConfig, build_generator

CONV1 = re.compile(r"synthesis\.b(\d{1,5})\.conv1\.weight", re.ASCII)
EXTRA = re.compile(r"synthesis\.b(\d{1,5})\.extra_convs\.\d+\.weight", re.ASCII)
D_CONV0 = re.compile(r"imageD\.b(\d{1,5})\.conv0\.weight", re.ASCII)
# A released model was trained on 16 frames at the rate of its data set; the file says neither.
CLIP_FRAMES, FPS = 15, 25.0


def make(
    path: Path, records: dict[str, Record], tensors: dict[str, dict[str, Tensor]]
) -> tuple[dict[str, Any], dict[str, nn.Module]]:
    """Make description and networks; sizes are read from the shapes of tensors.

    Raises:
        Refused: for networks that ours cannot be.
        UserError: listing tensors that do not fit.
    """
    net, resolution = network_config(tensors["G_ema"])
    modules: dict[str, nn.Module] = {}
    for name in ("G_ema", "G"):
        if name in records:
            with torch.device("meta"):
                modules[name] = build_generator(net, resolution)
            fit(modules[name], without_filters(tensors[name], modules[name]), path, name)
    description: dict[str, Any] = {"method": "digan", "networks": net.model_dump(mode="json"), "resolution": resolution}
    if "D" in records:
        description["discriminator"] = discriminator_options(records["D"], tensors["D"])
        with torch.device("meta"):
            modules["D"] = PairDiscriminator(resolution, **description["discriminator"])
        fit(modules["D"], tensors["D"], path, "D")
    return description | {"clip_frames": CLIP_FRAMES, "fps": FPS}, modules


def network_config(tensors: dict[str, Tensor]) -> tuple[NetworkConfig, int]:
    """Read the sizes of a generator, and its resolution."""
    widths = {int(m[1]): t.shape[0] for key, t in tensors.items() if (m := CONV1.fullmatch(key))}
    resolution = max(widths, default=0)
    if resolution < 4 or set(widths) != {2**i for i in range(2, resolution.bit_length())}:
        raise Refused("holds a generator that is not DIGAN's")
    entering = [r for r in widths if f"synthesis.b{r}.coord_fuser.affine.weight" in tensors]
    input_resolution = max(r for r in widths if r not in entering)
    extra: dict[int, int] = {}
    for key in tensors:
        if m := EXTRA.fullmatch(key):
            extra[int(m[1])] = extra.get(int(m[1]), 0) + 1
    # Blocks that work at the same resolution share one number.
    shared = {extra.pop(r, 0) for r in widths if r <= input_resolution}
    if len(shared) > 1:
        raise Refused("holds a generator whose first blocks differ")
    if more := shared.pop():
        extra[input_resolution] = more
    fusers = {4: "synthesis.b4.input.input.coord_fuser"} | {r: f"synthesis.b{r}.coord_fuser" for r in entering}
    sizes = {r: axis(tensors, f"{name}.affine.weight", 0) for r, name in fusers.items()}
    base, most = widths_of(widths)
    wide, high = axis(tensors, "synthesis.b4.conv1.weight", 1), axis(tensors, "synthesis.b4.conv1.weight", 0)
    layers = sum(re.fullmatch(r"mapping\.fc\d+\.weight", key) is not None for key in tensors)
    sizes = {r: sizes.get(r, sizes[4]) for r in widths}
    options = {
        "z_dim": axis(tensors, "mapping.fc0.weight", 1),
        "w_dim": axis(tensors, "mapping.w_avg", 0),
        "mapping_layers": layers,
        "channel_base": base,
        "channel_max": most,
        "input_resolution": input_resolution,
        "rank": axis(tensors, "synthesis.b4.conv1.affine.weight", 0) // (wide + high),
    }
    bounded(options)
    return NetworkConfig(**options, num_extra_convs=extra, emb_size=sizes), resolution


def discriminator_options(D: Record, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Read the options of both discriminators."""
    widths = {int(m[1]): t.shape[0] for key, t in tensors.items() if (m := D_CONV0.fullmatch(key))}
    if not widths:
        raise Refused("holds a discriminator that is not DIGAN's")
    widths[4] = axis(tensors, "imageD.b4.conv.weight", 0)
    base, most = widths_of(widths)
    inner = D.child("imageD")
    kwargs = inner.options if inner is not None else {}
    options = {
        "channel_base": base,
        "channel_max": most,
        "num_fp16_res": kwargs.get("num_fp16_res", 0),
        "mbstd_group_size": (kwargs.get("epilogue_kwargs") or {}).get("mbstd_group_size", 4),
    }
    bounded(options)
    return options | {"conv_clamp": checked_clamp(kwargs.get("conv_clamp"))}
