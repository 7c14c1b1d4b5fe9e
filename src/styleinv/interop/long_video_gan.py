"""Long-Video-GAN's official snapshots as models of this project: each half by itself, or both from one folder."""

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from styleinv.errors import UserError
from styleinv.interop.fit import fit
from styleinv.interop.machine import Refused
from styleinv.interop.module_records import Record, tensors_of
from styleinv.interop.networks import axis, bounded
from styleinv.interop.reader import read_pickle
from styleinv.methods.long_video_gan.discriminator import SuperResDiscriminator
from styleinv.methods.long_video_gan.generator import SuperResGenerator
from styleinv.methods.long_video_gan_lr.discriminator import LowResDiscriminator
from styleinv.methods.long_video_gan_lr.generator import LowResGenerator

LAYER = re.compile(r"SG3\.synthesis\.L(\d{1,3})_(\d{1,5})_(\d{1,5})_(\d{1,5})\.weight", re.ASCII)
BLOCK = re.compile(r"b(\d{1,5})\.conv0\.weight", re.ASCII)
# The files do not say it.
FPS = 30.0
CURE = "Put the G-ema snapshots of both halves, and nothing else, into the folder."

Made = tuple[dict[str, Any], dict[str, nn.Module]]


def is_generator(tree: Any) -> bool:
    """Whether a pickle's content is a generator of either half, alone or with its training state."""
    G = tree.get("G") if isinstance(tree, dict) else tree
    return isinstance(G, Record) and G.name == "VideoGenerator" and _kind(tensors_of(G)) is not None


def import_half(path: Path, tree: Any) -> Made:
    """Import one half: `G_ema`, or `G` and `D` of a training snapshot.

    Raises:
        Refused: for networks that ours cannot be.
        UserError: listing tensors that do not fit.
    """
    train = isinstance(tree, dict)
    records = {"G": tree["G"], "D": tree["D"]} if train else {"G_ema": tree}
    if any(not isinstance(record, Record) for record in records.values()):
        raise Refused("holds something that is no network")
    name = "G" if train else "G_ema"
    tensors = {key: tensors_of(record) for key, record in records.items()}
    kind = _kind(tensors[name])
    make_G, make_D = (_low_res, _low_res_D) if kind == "long_video_gan_lr" else (_super_res, _super_res_D)
    options, modules = make_G(records[name], tensors[name], path, name)
    description = {"method": kind, "generator": options, "fps": FPS}
    if train:
        modules |= make_D(records["D"], tensors["D"], path)
    return description, modules


def import_pair(folder: Path) -> Made:
    """Import both halves from a folder with their two snapshots, as one model.

    Raises:
        UserError: where the folder holds anything else.
    """
    halves = {}
    for file in sorted(folder.glob("*.pkl")):
        tree = read_pickle(file).tree
        if not is_generator(tree) or isinstance(tree, dict):
            raise UserError("is no G-ema snapshot of Long-Video-GAN", file=file, cure=CURE)
        description, modules = import_half(file, tree)
        halves[description["method"]] = description, modules["G_ema"]
    if len(halves) != 2 or len(list(folder.glob("*.pkl"))) != 2:
        raise UserError("does not hold one snapshot of each half of Long-Video-GAN", file=folder, cure=CURE)
    (low, G_low), (high, G) = halves["long_video_gan_lr"], halves["long_video_gan"]
    if [low["generator"][f"out_{side}"] for side in ("width", "height")] != [
        high["generator"][f"cond_{side}"] for side in ("width", "height")
    ]:
        raise UserError("holds two halves of different sizes", file=folder, cure=CURE)
    return high | {"low_res": low["generator"]}, {"G_low": G_low, "G_ema": G}


def _kind(tensors: dict[str, Tensor]) -> str | None:
    if "spatial_input" in tensors:
        return "long_video_gan_lr"
    return "long_video_gan" if "SG3.mapping.w_avg" in tensors else None


def _options(record: Record, types: dict[str, tuple[type, ...]]) -> dict[str, Any]:
    found = {}
    for key, kinds in types.items():
        if key in record.options:
            if type(record.options[key]) not in kinds:
                raise Refused(f"has an option {key} of a wrong type")
            found[key] = record.options[key]
    return found


def _low_res(record: Record, tensors: dict[str, Tensor], path: Path, name: str) -> tuple[dict[str, Any], Any]:
    options = {"out_height": 36, "out_width": 64} | _options(
        record, {"out_height": (int,), "out_width": (int,), "temporal_padding": (int,)}
    )
    layers = ("temporal_layers.0", "temporal_layers.4", "spatial_layers.0", "spatial_layers.2")
    channels = [axis(tensors, f"{layer}.weight_1", 0) for layer in layers]
    bounded(options | {f"channels_{i}": value for i, value in enumerate(channels)})
    embedding = record.options.get("embedding_kwargs") or {}
    known = {"blur_widths", "min_sampling_rate", "max_sampling_rate", "normalize_per_filter"}
    if not isinstance(embedding, dict) or not set(embedding) <= known:
        raise Refused("has an embedding of unknown options")
    if any(type(value) not in (int, float) or not 0 <= value <= 100_000 for value in embedding.values()):
        raise Refused("has an embedding whose options are out of range")
    options |= {
        "temporal_emb_dim": axis(tensors, "latent_mapping.layer_0.weight", 1),
        "latent_w_dim": axis(tensors, "latent_mapping.layer_1.weight", 0),
        "channels": channels,
        "embedding": dict(embedding),
    }
    # The filters of the noise are designed, so this network is made in memory.
    G = LowResGenerator(**options)
    fit(G, tensors, path, name)
    return options, {name: G}


def _low_res_D(record: Record, tensors: dict[str, Tensor], path: Path) -> dict[str, nn.Module]:
    sizes = {"seq_length": 128, "max_edge": 64} | _options(record, {"seq_length": (int,), "max_edge": (int,)})
    bounded(sizes)
    convs = ["blocks.0.conv_vid.weight", *(f"blocks.{i}.conv_1.weight" for i in range(4))]
    widths = [axis(tensors, name, 0) for name in convs]
    bounded({f"channels_{i}": value for i, value in enumerate(widths)})
    epilogue = axis(tensors, "epilogue.conv1d_0.weight", 0)
    with torch.device("meta"):
        D = LowResDiscriminator(
            **sizes, channels=(widths[0], widths[1], widths[2], widths[3], widths[4]), epilogue_channels=epilogue
        )
    fit(D, tensors, path, "D")
    return {"D": D}


def _super_res(record: Record, tensors: dict[str, Tensor], path: Path, name: str) -> tuple[dict[str, Any], Any]:
    if record.options.get("fourfeats"):
        raise Refused("holds a generator with Fourier features, which no released model has")
    found = _options(
        record,
        {key: (int,) for key in ("hr_width", "hr_height", "lr_width", "lr_height", "temporal_context", "margin_size")},
    )
    found = {
        "hr_width": 256,
        "hr_height": 144,
        "lr_width": 64,
        "lr_height": 36,
        "temporal_context": 4,
        "margin_size": 10,
    } | found
    layers = sorted((int(m[1]), int(m[4])) for key in tensors if (m := LAYER.fullmatch(key)))
    if len(layers) < 3 or [i for i, _ in layers] != list(range(len(layers))):
        raise Refused("holds a super-resolution generator whose layers do not follow each other")
    widths = [width for _, width in layers]
    # The width of the last layers, half the base over their cutoff, unless the most that is allowed.
    cutoff = max(found["hr_width"], found["hr_height"]) / 2
    options = {
        "img_width": found["hr_width"],
        "img_height": found["hr_height"],
        "cond_width": found["lr_width"],
        "cond_height": found["lr_height"],
        "cond_context": found["temporal_context"],
        "margin_size": found["margin_size"],
        "z_dim": axis(tensors, "SG3.mapping.fc0.weight", 1),
        "w_dim": axis(tensors, "SG3.mapping.w_avg", 0),
        "channel_base": int(widths[-2] * 2 * cutoff),
        "channel_max": max(widths),
        "num_layers": len(layers) - 1,
    }
    bounded(options)
    # The filters are designed, so this network is made in memory.
    G = SuperResGenerator(**options, num_fp16_res=0)
    fit(G, {key.removeprefix("SG3."): value for key, value in tensors.items()}, path, name)
    return options | {"num_fp16_res": 0}, {name: G}


def _super_res_D(record: Record, tensors: dict[str, Tensor], path: Path) -> dict[str, nn.Module]:
    widths = {int(m[1]): value.shape[0] for key, value in tensors.items() if (m := BLOCK.fullmatch(key))}
    resolution = max(widths, default=0)
    if resolution < 8:
        raise Refused("holds a discriminator that is not Long-Video-GAN's")
    channels = axis(tensors, f"b{resolution}.fromrgb.weight", 1)
    scale = axis(tensors, "upsample.filter", 0) // 2
    most = max([*widths.values(), axis(tensors, "b4.conv.weight", 0)])
    options: dict[str, Any] = {"resolution": resolution, "seq_length": channels // 6, "scale": scale}
    options |= {"channel_base": widths[resolution] * resolution, "channel_max": most}
    bounded(options)
    with torch.device("meta"):
        D = SuperResDiscriminator(**options, num_fp16_res=0)
    fit(D, tensors, path, "D")
    return {"D": D}
