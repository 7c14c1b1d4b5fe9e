"""Official checkpoints as models of this project: the same networks, names and tensors, described for our loaders."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from styleinv.errors import UserError
from styleinv.forms import OLD_TORCH_BEGINS, ZIP_BEGINS
from styleinv.interop import digan, long_video_gan, networks, stylegan_v
from styleinv.interop.fit import fit
from styleinv.interop.machine import Refused
from styleinv.interop.mocogan_hd import import_folder
from styleinv.interop.module_records import Record, plain, scalar, tensors_of
from styleinv.interop.reader import read_pickle
from styleinv.interop.rosinality import from_rosinality, is_rosinality
from styleinv.interop.torch_save import read_state_dict
from styleinv.methods.inversion.encoder import PSP
from styleinv.methods.stylegan2.method import build_discriminator, build_generator
from styleinv.methods.styleinv.model import StyleInV
from styleinv.nn.video_discriminator import VideoDiscriminator

# The frame rate is not part of a checkpoint of images; videos are written at this one unless a configuration says.
FPS = 25.0
CURE = (
    "Import a checkpoint of StyleGAN2-ADA, StyleInV, StyleGAN-V, DIGAN, MoCoGAN-HD (a folder), Long-Video-GAN, or a"
    " g_ema state dict."
)


def import_modules(path: str | Path) -> tuple[dict[str, Any], dict[str, nn.Module]]:
    """Read an official checkpoint into networks of this project, on the CPU, frozen.

    Kinds, recognised by their top-level keys: StyleGAN2-ADA (`G_ema`, and `G`, `D` where present), inversion (`pSp`,
    `G`), StyleInV (`G`, `D`, `SI`, `SI_ema`), and `torch.save` files with a `g_ema`; StyleGAN-V and DIGAN have the
    keys of StyleGAN2-ADA and other tensors; Long-Video-GAN is a network by itself, or `G`, `D` and their optimisers. A
    folder is MoCoGAN-HD's, with its several files, or Long-Video-GAN's, with the snapshots of its two halves.

    Returns:
        The description that our loaders rebuild the networks from, and the networks by name.

    Raises:
        UserError: for a file of another kind, a damaged one, or one whose tensors do not fit our networks.
    """
    path = Path(path)
    if path.is_dir():
        with _one_line(path):
            return long_video_gan.import_pair(path) if any(path.glob("*.pkl")) else import_folder(path)
    try:
        with open(path, "rb") as file:
            head = file.read(len(OLD_TORCH_BEGINS))
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", file=path, cure="Check its permissions.") from None
    with _one_line(path):
        if head.startswith(ZIP_BEGINS) or head == OLD_TORCH_BEGINS:
            return _from_torch_save(path)
        return _from_pickle(path)


def _from_pickle(path: Path) -> tuple[dict[str, Any], dict[str, nn.Module]]:
    tree = read_pickle(path).tree
    if long_video_gan.is_generator(tree):
        return long_video_gan.import_half(path, tree)
    keys = set(tree) if isinstance(tree, dict) else set()
    if {"SI_ema", "G"} <= keys:
        kind, nets = "styleinv", ["SI", "D", "SI_ema", "G"]
    elif {"pSp", "G"} <= keys:
        kind, nets = "inversion", ["pSp", "G"]
    elif "G_ema" in keys:
        kind, nets = _image_or_video(tree["G_ema"]), ["G", "D", "G_ema"]
    else:
        names = ", ".join(sorted(ascii(key)[:30] for key in keys)[:8]) or "no keys"
        raise UserError(f"is a checkpoint of an unknown kind (it has {names})", file=path, cure=CURE)
    records = {name: tree[name] for name in nets if tree.get(name) is not None}
    for name, record in records.items():
        if not isinstance(record, Record):
            raise Refused(f"holds a {type(record).__name__} where the network {name} should be")
    tensors = {name: tensors_of(record) for name, record in records.items()}
    _check_size(path, [value for table in tensors.values() for value in table.values()])
    make = {"stylegan2": _stylegan2, "inversion": _inversion, "styleinv": _styleinv, "digan": digan.make}
    make |= {"stylegan_v": stylegan_v.make}
    description, modules = make[kind](path, records, tensors)
    pipe = tree.get("augment_pipe")
    if isinstance(pipe, Record) and "p" in (found := tensors_of(pipe)) and found["p"].numel() == 1:
        description["augment_p"] = scalar(found["p"])
    description["training_set_kwargs"] = plain(tree.get("training_set_kwargs", {}))
    return description, modules


def _image_or_video(G: Any) -> str:
    names = tensors_of(G) if isinstance(G, Record) else {}
    if any("coord_fuser" in name for name in names):
        return "digan"
    return "stylegan_v" if any("motion_encoder" in name for name in names) else "stylegan2"


Made = tuple[dict[str, Any], dict[str, nn.Module]]
Records = dict[str, Record]
Tables = dict[str, dict[str, Tensor]]


def _image_generator(path: Path, records: Records, tensors: Tables, name: str) -> tuple[dict[str, Any], nn.Module]:
    options, resolution = networks.generator_options(records[name], tensors[name])
    config = networks.network_config(options)
    with torch.device("meta"):
        G = build_generator(config, resolution)
    fit(G, tensors[name], path, name)
    return {"networks": config.model_dump(mode="json"), "resolution": resolution}, G


def _stylegan2(path: Path, records: Records, tensors: Tables) -> Made:
    image, G_ema = _image_generator(path, records, tensors, "G_ema")
    modules = {"G_ema": G_ema}
    if "G" in records:
        with torch.device("meta"):
            modules["G"] = build_generator(networks.network_config(image["networks"]), image["resolution"])
        fit(modules["G"], tensors["G"], path, "G")
    description = {"method": "stylegan2", "image_generator": image, "fps": FPS}
    if "D" in records:
        config = networks.network_config(
            networks.discriminator_options(records["D"], tensors["D"], dict(image["networks"]))
        )
        with torch.device("meta"):
            modules["D"] = build_discriminator(config, image["resolution"])
        fit(modules["D"], tensors["D"], path, "D")
        image["networks"]["mbstd_group_size"] = config.mbstd_group_size
        if config.model_dump(mode="json") != image["networks"]:
            description["discriminator"] = {"networks": config.model_dump(mode="json")}
    return description, modules


def _inversion(path: Path, records: Records, tensors: Tables) -> Made:
    image, G = _image_generator(path, records, tensors, "G")
    trunk = records["pSp"].child("encoder")
    if trunk is None:
        raise Refused("holds a pSp without an encoder")
    encoder = networks.encoder_options(trunk, tensors["pSp"])
    with torch.device("meta"):
        psp = PSP(image["resolution"], image["networks"]["w_dim"], tuple(encoder["widths"]), tuple(encoder["units"]))
    fit(psp, tensors["pSp"], path, "pSp")
    description = {"method": "inversion", "image_generator": image, "fps": FPS, "encoder": encoder}
    return description, {"pSp": psp, "G": G}


def _styleinv(path: Path, records: Records, tensors: Tables) -> Made:
    image, G = _image_generator(path, records, tensors, "G")
    modules: dict[str, nn.Module] = {"G": G}
    frames = 128
    if "D" in records:
        sizes = networks.video_discriminator_options(records["D"], tensors["D"])
        frames = sizes["max_num_frames"]
        with torch.device("meta"):
            modules["D"] = VideoDiscriminator(**sizes)
        fit(modules["D"], tensors["D"], path, "D")
    options = networks.styleinv_options(records["SI_ema"], tensors["SI_ema"], image["networks"]["w_dim"], frames)
    for name in ("SI", "SI_ema"):
        if name in records:
            with torch.device("meta"):
                modules[name] = StyleInV(**options)
            fit(modules[name], tensors[name], path, name)
    description = {
        "method": "styleinv",
        "image_generator": image,
        "fps": FPS,
        "styleinv": options,
        "noise_mode": "const",
    }
    return description, modules


def _from_torch_save(path: Path) -> Made:
    checkpoint = read_state_dict(path)
    if not is_rosinality(checkpoint):
        raise UserError("is a torch.save file without a StyleGAN2 `g_ema`", file=path, cure=CURE)
    _check_size(path, [value for value in checkpoint["g_ema"].values() if isinstance(value, Tensor)])
    config, resolution, tensors = from_rosinality(checkpoint)
    with torch.device("meta"):
        G = build_generator(config, resolution)
    fit(G, tensors, path, "g_ema")
    image = {"networks": config.model_dump(mode="json"), "resolution": resolution}
    return {"method": "stylegan2", "image_generator": image, "fps": FPS}, {"G_ema": G}


def _check_size(path: Path, tensors: list[Tensor]) -> None:
    """Refuse a file that uses one stored tensor under many names, which could ask for any amount of memory."""
    size = path.stat().st_size
    if sum(value.numel() * value.element_size() for value in tensors) > 2 * size:
        raise Refused("expands to more data than it holds")


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except Refused as error:
        raise UserError(
            f"cannot be imported: it {error}",
            file=path,
            cure="Give the unchanged file that the official code has saved.",
        ) from None
    except (RuntimeError, ArithmeticError, MemoryError, TypeError, ValueError, LookupError) as error:
        reason = str(error).partition("\n")[0][:100]
        raise UserError(f"cannot be imported ({reason})", file=path, cure=CURE) from None
