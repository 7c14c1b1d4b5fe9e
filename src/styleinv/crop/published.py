"""Published weights of the face networks: verified, and read without executing anything in them."""

import io
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from styleinv.data.weights import verify, where
from styleinv.errors import UserError


def load_published(name: str, folder: Path, network: nn.Module, opened: Callable[[bytes], io.BytesIO]) -> str:
    """Put published weights into a network, set it to inference, and return the SHA-256 of their file.

    Args:
        name: a key of `data.weights.WEIGHTS`.
        folder: where the weights lie.
        network: of the same shapes.
        opened: from the file's bytes to those of the checkpoint, where one is wrapped in the other.

    Raises:
        UserError: not fetched, another hash, damaged, or tensors of another network.
    """
    digest = verify(name, folder)
    path = where(name, folder)
    cure = f"Delete it and run `styleinv weights fetch {name}`."
    try:
        weights = torch.load(opened(path.read_bytes()), map_location="cpu", weights_only=True)
        network.load_state_dict(weights)
    except Exception as error:  # torch and zipfile raise what they like about foreign bytes
        raise UserError(f"holds no weights of this network ({_first_line(error)})", file=path, cure=cure) from None
    network.eval().requires_grad_(False)
    return digest


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
