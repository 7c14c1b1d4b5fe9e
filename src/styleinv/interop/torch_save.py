"""Files of `torch.save` that hold tensors and containers alone."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from styleinv.errors import UserError
from styleinv.interop.machine import Refused


def read_state_dict(path: Path) -> Any:
    """Read a plain state dict; `weights_only` admits tensors and containers and nothing else.

    Raises:
        UserError: for a damaged file or any other content.
        Refused: for a compressed archive.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
                raise Refused("is a compressed archive, which torch.save never writes")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch raises errors of many types for damaged files, some of many lines.
        reason = str(error).partition("\n")[0][:100]
        raise UserError(f"is no readable state dict ({reason})", file=path, cure="Download it again.") from None
