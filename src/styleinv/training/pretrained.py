"""Published backbone weights that losses and encoders start from: ArcFace's IR-SE-50 and LPIPS."""

from pathlib import Path

import torch
from torch import Tensor

from styleinv.data.weights import verify, where
from styleinv.nn.identity import IDLoss
from styleinv.nn.perceptual import LPIPS


def load_irse50(folder: Path) -> dict[str, Tensor]:
    """Load the state dict of the face-recognition IR-SE-50, which initialises encoders and judges identity.

    Raises:
        UserError: when the file is missing or has another hash.
    """
    return _load("arcface_ir_se50", folder)


def load_identity(folder: Path) -> IDLoss:
    """Load the identity loss with its published weights."""
    net = IDLoss()
    net.facenet.load_state_dict(load_irse50(folder))
    return net


def load_lpips(folder: Path, net: str = "alex") -> LPIPS:
    """Load LPIPS with its published weights; `net` is `alex` or `vgg`."""
    model = LPIPS(net)
    trunk = _load("alexnet" if net == "alex" else "vgg16", folder)
    own = model.features.state_dict()
    model.features.load_state_dict({key: trunk[f"features.{key}"] for key in own})
    heads = _load(f"lpips_{net}", folder)
    for i, lin in enumerate(model.lin):
        lin.load_state_dict({"weight": heads[f"lin{i}.model.1.weight"]})
    return model


def _load(name: str, folder: Path) -> dict[str, Tensor]:
    verify(name, folder)
    return torch.load(where(name, folder), map_location="cpu", weights_only=True)
