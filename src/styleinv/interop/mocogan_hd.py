"""MoCoGAN-HD's official files: a folder with image generator, motion network, discriminators and components."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from styleinv.errors import UserError
from styleinv.interop.fit import fit
from styleinv.interop.rosinality import from_rosinality, is_rosinality
from styleinv.interop.torch_save import read_state_dict
from styleinv.methods.mocogan_hd.discriminator import PatchDiscriminator
from styleinv.methods.mocogan_hd.motion import MotionGenerator
from styleinv.methods.stylegan2.method import build_generator

EPOCH = re.compile(r"model(R|D_3d|D_img)_epoch_(\d+)\.pth", re.ASCII)
# The files say neither; 0.2 is the official default, frames were written at 25 per second.
W_RESIDUAL, FPS = 0.2, 25.0
CURE = "Put modelR_epoch_N.pth, pca_comp.npy, pca_stdev.npy and the image generator's .pt into one folder."


def import_folder(folder: Path) -> tuple[dict[str, Any], dict[str, nn.Module]]:
    """Import `R`, `G` and, where they are there, `D_3d` and `D_img`; of several epochs the last.

    Raises:
        UserError: for missing or damaged files, or tensors that do not fit together.
    """
    latest: dict[str, tuple[int, Path]] = {}
    for file in sorted(folder.iterdir()):
        if found := EPOCH.fullmatch(file.name):
            latest[found[1]] = max(latest.get(found[1], (-1, file)), (int(found[2]), file))
    images = [path for path in sorted(folder.glob("*.pt")) if is_rosinality(read_state_dict(path))]
    if "R" not in latest or len(images) != 1:
        raise UserError("is no folder of MoCoGAN-HD's files", file=folder, cure=CURE)
    config, resolution, tensors = from_rosinality(read_state_dict(images[0]))
    with torch.device("meta"):
        G = build_generator(config, resolution)
    fit(G, tensors, images[0], "g_ema")
    epoch, file = latest["R"]
    R = _motion(read_state_dict(file), file, folder)
    modules: dict[str, nn.Module] = {"R": R, "G": G}
    for name, dims in (("D_3d", 3), ("D_img", 2)):
        if name in latest:
            modules[name] = _discriminator(read_state_dict(latest[name][1]), latest[name][1], dims)
    image = {"networks": config.model_dump(mode="json"), "resolution": resolution}
    description = {
        "method": "mocogan_hd",
        "image_generator": image,
        "motion": {"z_dim": R.z_dim, "h_dim": R.h_dim, "n_pca": R.n_pca, "w_residual": W_RESIDUAL},
        "noise_mode": "const",
        "fps": FPS,
        "epoch": epoch,
    }
    return description, modules


def _motion(state: dict[str, Tensor], file: Path, folder: Path) -> MotionGenerator:
    if "w" not in state or "cell.weight_ih" not in state or state["w"].ndim != 2:
        raise UserError("is no motion network of MoCoGAN-HD", file=file, cure=CURE)
    h_dim, n_pca = state["w"].shape
    R = MotionGenerator(state["cell.weight_ih"].shape[1], h_dim, n_pca, W_RESIDUAL)
    components, stdev = (_array(folder / f"{name}.npy") for name in ("pca_comp", "pca_stdev"))
    if components.shape != (R.z_dim, R.z_dim) or stdev.shape != (R.z_dim,):
        raise UserError(
            f"has shape {tuple(components.shape)}, w has {R.z_dim} entries",
            file=folder / "pca_comp.npy",
            cure="Give the components that belong to this generator.",
        )
    R.set_components(components, stdev)
    fit(R, state | {"directions": R.directions}, file, "R")
    return R


def _discriminator(state: dict[str, Tensor], file: Path, dims: Any) -> PatchDiscriminator:
    state = {name.removeprefix("module."): value for name, value in state.items()}
    first = state.get("netD.scale0_layer0.0.weight")
    scales = len({name.split("_")[0] for name in state if name.startswith("netD.scale")})
    last = state.get(f"netD.scale{scales - 1}_layer0.0.weight")
    if first is None or last is None:
        raise UserError("is no patch discriminator of MoCoGAN-HD", file=file, cure=CURE)
    D = PatchDiscriminator(dims, first.shape[1], last.shape[0], scales)
    fit(D, state, file, "netD")
    return D


def _array(path: Path) -> Tensor:
    try:
        return torch.from_numpy(np.load(path, allow_pickle=False)).float()
    except FileNotFoundError:
        raise UserError("does not exist", file=path, cure=CURE) from None
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"is no array ({error})", file=path, cure=CURE) from None
